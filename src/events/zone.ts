/** Wall clocks of time zones: which instant a date and time of day is, by the zones that Node brings (ICU). */

export type WallTime = { year: number; month: number; day: number; hour: number; minute: number };

export type WallClock = {
  /** What the clock shows, to the minute. */
  at(time: number): WallTime;
  /**
   * When it shows this. A time that is shown twice (the clock was put back) is its first; one that is skipped (put forward) is the moment of the change, from
   * which on it would have been shown.
   */
  instant(wall: WallTime): number;
};

const DAY_MS = 86_400_000;

export function isZone(name: string): boolean {
  // ICU takes offsets too, which are no zones.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

export function wallClock(zone: string): WallClock {
  if (zone === 'UTC') return { at: utcAt, instant: utcInstant };
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  /** What the clock is ahead of UTC at an instant. */
  const offset = (time: number): number => {
    const part = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(time / 1000) * 1000;
  };
  return {
    at: (time) => utcAt(time + offset(time)),
    instant(wall) {
      const plain = utcInstant(wall);
      // No zone changes twice within a day on both sides.
      const [before, after] = [offset(plain - DAY_MS), offset(plain + DAY_MS)];
      const candidates = [plain - before, plain - after].filter((time) => time + offset(time) === plain).sort((a, b) => a - b);
      return candidates[0] ?? changeBetween(plain - Math.max(before, after), plain - Math.min(before, after), offset);
    },
  };
}

/** The first instant with the offset of the end. */
function changeBetween(from: number, to: number, offset: (time: number) => number): number {
  const wanted = offset(to);
  let [low, high] = [from, to];
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000;
    if (middle === low) break;
    if (offset(middle) === wanted) high = middle;
    else low = middle;
  }
  return high;
}

function utcAt(time: number): WallTime {
  const date = new Date(time);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
  return { year, month, day, hour: date.getUTCHours(), minute: date.getUTCMinutes() };
}

const utcInstant = ({ year, month, day, hour, minute }: WallTime) => Date.UTC(year, month - 1, day, hour, minute);
