/** Kinds of the frames (frames.ts) that travel between whoever runs a command inside a container and the container's host. */
export const execFrames = {
  /** To the command: bytes of its input. */
  input: 10,
  /** No more input will come. Empty. */
  end: 11,
  /** JSON `{cols, rows}`. */
  resize: 12,
  /** The signal's name, UTF-8. */
  signal: 13,
  /** From the command: bytes as it wrote them; with a terminal all is stdout. */
  stdout: 20,
  stderr: 21,
  /** The exit code, 32 bits big-endian: the last frame. */
  exit: 22,
  /** Why it was cut off, UTF-8: the last frame. */
  failed: 23,
} as const;
