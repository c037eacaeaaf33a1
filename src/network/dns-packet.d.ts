/** The part of dns-packet 5.6 that is used here; the package has no types of its own. */
declare module 'dns-packet' {
  export type Question = { name: string; type: string; class?: string };
  export type Answer =
    | { name: string; type: 'A'; ttl: number; data: string; class?: string }
    | {
        name: string;
        type: 'SOA';
        ttl: number;
        data: { mname: string; rname: string; serial: number; refresh: number; retry: number; expire: number; minimum: number };
      };
  export type Packet = {
    id?: number;
    type?: 'query' | 'response';
    flags?: number;
    opcode?: string;
    rcode?: string;
    questions?: Question[];
    answers?: Answer[];
    authorities?: Answer[];
    additionals?: Answer[];
  };
  export const AUTHORITATIVE_ANSWER: number;
  export const RECURSION_DESIRED: number;
  export const RECURSION_AVAILABLE: number;
  /** Throws on what is no DNS message. */
  export function decode(buffer: Uint8Array): Packet;
  export function encode(packet: Packet): Buffer;
}
