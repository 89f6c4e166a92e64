import type { MetricDescriptor, MetricFamily, Sample } from './metrics.ts';

/** The two text formats that Prometheus scrapes. */
export type ExpositionFormat = 'prometheus' | 'openmetrics';

/** Media types of the formats. */
export const expositionContentTypes: Readonly<Record<ExpositionFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Quality that an `Accept` header gives to a media type (RFC 9110, section 12.5.1); 0 where it is not named. */
function quality(accept: string, mediaType: string): number {
  for (const item of accept.split(',')) {
    const [type, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    if (type !== mediaType) continue;
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    return q === undefined ? 1 : Number(q.slice(2)) || 0;
  }
  return 0;
}

/** The format that a scraper prefers: OpenMetrics only where it is asked for by name. */
export function negotiateExposition(accept: string | undefined): ExpositionFormat {
  if (accept === undefined) return 'prometheus';
  const openmetrics = quality(accept, 'application/openmetrics-text');
  return openmetrics > 0 && openmetrics >= quality(accept, 'text/plain') ? 'openmetrics' : 'prometheus';
}

function escapeHelp(text: string, format: ExpositionFormat): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

/** OpenMetrics wants bounds in one canonical form: floats, so `1.0` and never `1`. */
function formatBound(bound: string, format: ExpositionFormat): string {
  return format === 'openmetrics' && /^\d+$/.test(bound) ? `${bound}.0` : bound;
}

function renderSample(name: string, sample: Sample, format: ExpositionFormat): string {
  const labels = sample.labels.map(
    ([label, value]) => `${label}="${label === 'le' ? formatBound(value, format) : escapeLabel(value)}"`,
  );
  const braces = labels.length === 0 ? '' : `{${labels.join(',')}}`;
  return `${name}${sample.suffix}${braces} ${formatNumber(sample.value)}\n`;
}

/** OpenMetrics names a counter or an info without the suffix that its samples carry. */
function familyName({ name, type }: MetricDescriptor, format: ExpositionFormat): string {
  if (format === 'prometheus') return name;
  if (type === 'counter') return name.replace(/_total$/, '');
  return type === 'info' ? name.replace(/_info$/, '') : name;
}

/** Renders all families in one format. */
export function renderExposition(families: readonly MetricFamily[], format: ExpositionFormat): string {
  let text = '';
  for (const { descriptor, samples } of families) {
    const name = familyName(descriptor, format);
    const type = descriptor.type === 'info' && format === 'prometheus' ? 'gauge' : descriptor.type;
    text += `# HELP ${name} ${escapeHelp(descriptor.help, format)}\n# TYPE ${name} ${type}\n`;
    for (const sample of samples) text += renderSample(descriptor.name, sample, format);
  }
  return format === 'openmetrics' ? `${text}# EOF\n` : text;
}
