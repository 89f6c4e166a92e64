import { metricCatalogue } from '../src/telemetry/metric-catalogue.ts';
import type { MetricDescriptor } from '../src/telemetry/metrics.ts';

/** The reference page of the metrics, made from their catalogue. */
export function renderMetricsReference(): string {
  const rows = Object.values<MetricDescriptor>(metricCatalogue).map(({ name, type, labels, help }) => {
    const shown = labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`;
  });
  return `# Metrics

<!-- Made by \`npm run docs\` from src/telemetry/metric-catalogue.ts: do not edit. -->

\`/metrics\` on the admin listener gives them as Prometheus text, or as OpenMetrics where the scraper asks for it. Units are
base units. The number of series of one metric is bounded: what would be more is counted with every label \`other\`.

| Name | Type | Labels | Meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}
