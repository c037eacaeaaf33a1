/** What patterns, schedules and templates are held to. Source: EventBridge quotas, and where it names none a bound of ours. */
export const eventsBounds = {
  /** Characters of a pattern (quota: 2048, which AWS raises on request). */
  patternChars: 4096,
  patternDepth: 50,
  patternConditions: 1000,
  /** Magnitude of a number in a numeric condition. */
  patternNumber: 5_000_000_000,
  /** Variables of an input transformer, and characters of its template (InputTransformer: 100 and 8192). */
  transformerPaths: 100,
  templateChars: 8192,
  /** Characters of a schedule's expression (PutRule: 256). */
  scheduleChars: 256,
} as const;
