/** DNS over TCP: each message after its length in two bytes (RFC 1035, section 4.2.2). */
import type { Socket } from 'node:net';

const LENGTH_BYTES = 2;

export function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Calls `handle` for each whole message; at most 64 KiB are held. */
export function readMessages(socket: Socket, handle: (message: Buffer) => void): void {
  let held: Buffer = Buffer.alloc(0);
  socket.on('data', (data: Buffer) => {
    held = Buffer.concat([held, data]);
    while (held.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + held.readUInt16BE(0);
      if (held.length < end) return;
      const message = held.subarray(LENGTH_BYTES, end);
      held = held.subarray(end);
      handle(message);
    }
  });
}
