/**
 * The program of a sandbox's own first container, which must live as long as the sandbox and do nothing: the smallest static ELF file
 * that does it. It reads the host name from standard input, sets it, says so with one byte, and waits for ever.
 */

const BASE = 0x400000n;
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;

/** The same in both: read(0, sp, 64); sethostname(sp, n); on success write(1, sp, 1); pause() again and again. */
const code = {
  x64: [
    '4881ec80000000', // sub rsp, 128
    '31ff 4889e6 ba40000000 31c0 0f05', // read(0, rsp, 64)
    '4889c6 4889e7 b8aa000000 0f05', // sethostname(rsp, rax)
    '85c0 7514', // test eax, eax; jnz to pause
    'bf01000000 4889e6 ba01000000 b801000000 0f05', // write(1, rsp, 1)
    'b822000000 0f05 ebf7', // pause(), for ever
  ],
  // Little-endian words.
  arm64: [
    'ff0302d1', // sub sp, sp, #128
    '000080d2 e1030091 020880d2 e80780d2 010000d4', // read(0, sp, 64)
    'e10300aa e0030091 281480d2 010000d4', // sethostname(sp, x0)
    'c00000b5', // cbnz x0, 6 instructions on
    '200080d2 e1030091 220080d2 080880d2 010000d4', // write(1, sp, 1)
    '000080d2 010080d2 020080d2 030080d2 040080d2 280980d2 010000d4 f9ffff17', // ppoll(0, 0, 0, 0, 0), for ever
  ],
};

const machines = { x64: 62, arm64: 183 };

/** An ELF64 executable (System V ABI, "Object Files") with one segment that holds the whole file. */
export function pauseProgram(arch: 'x64' | 'arm64'): Buffer {
  const text = Buffer.from(code[arch].join('').replaceAll(' ', ''), 'hex');
  const header = Buffer.alloc(ELF_HEADER + PROGRAM_HEADER);
  const size = BigInt(header.length + text.length);
  Buffer.from('7f454c46020101', 'hex').copy(header); // 64 bits, little-endian, version 1
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(machines[arch], 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BASE + BigInt(header.length), 24); // entry
  header.writeBigUInt64LE(BigInt(ELF_HEADER), 32); // program headers
  header.writeUInt16LE(ELF_HEADER, 52);
  header.writeUInt16LE(PROGRAM_HEADER, 54);
  header.writeUInt16LE(1, 56);
  const segment = header.subarray(ELF_HEADER);
  segment.writeUInt32LE(1, 0); // load
  segment.writeUInt32LE(5, 4); // read and execute
  segment.writeBigUInt64LE(0n, 8);
  segment.writeBigUInt64LE(BASE, 16);
  segment.writeBigUInt64LE(BASE, 24);
  segment.writeBigUInt64LE(size, 32);
  segment.writeBigUInt64LE(size, 40);
  segment.writeBigUInt64LE(0x1000n, 48);
  return Buffer.concat([header, text]);
}
