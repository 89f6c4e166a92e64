/** Text as it may stand in XML. */
export function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replaceAll(/[&<>"]/g, (character) => entities[character] ?? character);
}

/** A picture's size, what it shows in words, and its own rules of style. */
interface SvgOptions {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly label: string;
  readonly style?: string;
}

/** A picture that needs nothing else and is readable on a light and on a dark page. */
export function svgFrame({ widthPx, heightPx, label, style = '' }: SvgOptions, content: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${widthPx} ${heightPx}" width="${widthPx}" height="${heightPx}" role="img" aria-label="${escapeXml(label)}">`,
    '<style>',
    'text{font:12px system-ui,sans-serif;fill:#24292f} .title{font-weight:600;font-size:14px} .line{stroke:#8c959f}',
    '@media (prefers-color-scheme:dark){text{fill:#e6edf3} .line{stroke:#6e7681}}',
    `${style}</style>`,
    ...content,
    '</svg>\n',
  ].join('\n');
}
