/** Pure: options of Docker's splunk driver, and events as its HTTP Event Collector takes them (docs.docker.com, "Splunk logging driver"). */
import { RE2JS } from 're2js';
import type { ContainerSpec, SplunkTarget } from '#domain/task-spec.ts';
import type { OutputEvent } from '#link/protocol.ts';

export type SplunkSource = { container: ContainerSpec; runtimeId: string; hostname: string };

export type SplunkFormat = {
  /** The collector's address, with its path. */
  url: URL;
  token: string;
  gzip: boolean;
  gzipLevel: number;
  /** One event as JSON; null for what the collector would refuse. */
  encode(event: OutputEvent): string | null;
};

const PATH = '/services/collector/event/1.0';

export function splunkFormat(target: SplunkTarget, source: SplunkSource): SplunkFormat {
  const { options } = target;
  const url = new URL(options['splunk-url'] ?? '');
  if (url.pathname === '/' || url.pathname === '') url.pathname = PATH;
  const tag = tagOf(options['tag'] ?? '{{.ID}}', source);
  const attrs = attributesOf(options, source.container);
  const eventOf = shapeOf(options['splunk-format'] ?? 'inline', tag, attrs);
  const fixed = {
    host: source.hostname,
    ...(options['splunk-source'] ? { source: options['splunk-source'] } : {}),
    ...(options['splunk-sourcetype'] ? { sourcetype: options['splunk-sourcetype'] } : {}),
    ...(options['splunk-index'] ? { index: options['splunk-index'] } : {}),
  };
  return {
    url,
    token: options['splunk-token'] ?? '',
    gzip: options['splunk-gzip'] === 'true',
    gzipLevel: Number(options['splunk-gzip-level'] ?? -1),
    encode(event) {
      // The collector takes no event that is blank.
      if (event.text.trim() === '') return null;
      return JSON.stringify({ event: eventOf(event), time: (event.time / 1000).toFixed(6), ...fixed });
    },
  };
}

function shapeOf(format: string, tag: string, attrs: Record<string, string>): (event: OutputEvent) => unknown {
  const named = { ...(tag === '' ? {} : { tag }), ...(Object.keys(attrs).length === 0 ? {} : { attrs }) };
  if (format === 'raw') {
    const words = [...(tag === '' ? [] : [tag]), ...Object.entries(attrs).map(([name, value]) => `${name}=${value}`)];
    return (event) => [...words, event.text].join(' ');
  }
  return (event) => ({ line: format === 'json' ? parsed(event.text) : event.text, source: event.source, ...named });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Docker's log tags, those of its names that a task has something for. */
function tagOf(template: string, { container, runtimeId }: SplunkSource): string {
  const values: Record<string, string> = {
    ID: runtimeId.slice(0, 12),
    FullID: runtimeId,
    Name: container.name,
    ImageName: container.image,
    DaemonName: 'berth',
  };
  return template.replace(/\{\{\s*\.(\w+)\s*\}\}/g, (whole, name: string) => values[name] ?? whole);
}

/** `labels`, `env`: names with commas between; `labels-regex`, `env-regex`: an expression that a name matches somewhere, as Docker's. */
function attributesOf(options: Record<string, string>, container: ContainerSpec): Record<string, string> {
  const chosen = (values: Record<string, string>, option: 'labels' | 'env') => {
    const wanted = new Set((options[option] ?? '').split(',').map((name) => name.trim()));
    const regex = options[`${option}-regex`] ? RE2JS.compile(options[`${option}-regex`] ?? '') : undefined;
    return Object.entries(values).filter(([name]) => wanted.has(name) || regex?.matcher(name).find() === true);
  };
  return Object.fromEntries([...chosen(container.labels, 'labels'), ...chosen(container.environment, 'env')]);
}
