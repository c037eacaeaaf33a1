/**
 * Metrics as text: Prometheus' format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/) and OpenMetrics 1.0
 * (https://github.com/OpenObservability/OpenMetrics/blob/main/specification/OpenMetrics.md). Pure.
 */
export type Labels = Readonly<Record<string, string>>;
export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'info';
/** `suffix`: what stands behind the family's name, without a counter's `_total` and an info's `_info`. */
export type Sample = { suffix: string; labels: Labels; value: number };
/** `name` without `_total` and `_info`. */
export type Family = { name: string; type: FamilyType; help: string; samples: Sample[] };

/** Families by their names, filled from many sides. */
export type Book = {
  /** Nothing is added where the value is not known (undefined, NaN). */
  add(type: 'counter' | 'gauge', name: string, help: string, labels: Labels, value: number | undefined): void;
  info(name: string, help: string, labels: Labels): void;
  family(family: Family): void;
  families(): Family[];
};

export function openBook(): Book {
  const all = new Map<string, Family>();
  const of = (name: string, type: FamilyType, help: string): Family => {
    const known = all.get(name) ?? { name, type, help, samples: [] };
    all.set(name, known);
    return known;
  };
  return {
    add(type, name, help, labels, value) {
      const family = of(name, type, help);
      if (value !== undefined && !Number.isNaN(value)) family.samples.push({ suffix: '', labels, value });
    },
    info: (name, help, labels) => void of(name, 'info', help).samples.push({ suffix: '', labels, value: 1 }),
    family: ({ name, type, help, samples }) => void of(name, type, help).samples.push(...samples),
    families: () => [...all.values()].filter(({ samples }) => samples.length > 0),
  };
}

export type Format = 'text' | 'openmetrics';
export const contentTypes: Record<Format, string> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** By an Accept header (RFC 9110, section 12.5.1): OpenMetrics only where it is wanted at least as much as plain text. */
export function formatOf(accept: string | undefined): Format {
  const wanted = (accept ?? '').split(',').map((part) => {
    const [type = '', ...parameters] = part
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/);
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    return { type, q: q === undefined ? 1 : Number(q.slice(2)) };
  });
  const best = (types: string[]) => Math.max(0, ...wanted.filter(({ type }) => types.includes(type)).map(({ q }) => q));
  const open = best(['application/openmetrics-text']);
  return open > 0 && open >= best(['text/plain', 'text/*']) ? 'openmetrics' : 'text';
}

export function render(families: readonly Family[], format: Format): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    const end = type === 'counter' ? '_total' : type === 'info' ? '_info' : '';
    const [named, typed] = format === 'text' ? [name + end, type === 'info' ? 'gauge' : type] : [name, type];
    lines.push(`# HELP ${named} ${escaped(help, format === 'openmetrics')}`, `# TYPE ${named} ${typed}`);
    for (const { suffix, labels, value } of samples) lines.push(`${name}${suffix}${end}${shown(labels)} ${numeral(value)}`);
  }
  if (format === 'openmetrics') lines.push('# EOF');
  return lines.map((line) => `${line}\n`).join('');
}

const escaped = (text: string, quotes: boolean) => {
  const plain = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return quotes ? plain.replaceAll('"', '\\"') : plain;
};

function shown(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value, true)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function numeral(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}
