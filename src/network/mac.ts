/** Hardware addresses of the routers' ends: they follow from the IPv4 address, so that nobody has to be asked for them. */

/** A locally administered MAC that holds the address: 02:00 or the given second byte, then the four bytes of the address. */
export function macOf(address: number, secondByte: number): string {
  const bytes = [0x02, secondByte, ...[24, 16, 8, 0].map((shift) => (address >>> shift) & 255)];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
