/** The address at which this machine reaches what listens on `listen`. */
export function reachable(listen: string): string {
  if (listen === '0.0.0.0') return '127.0.0.1';
  return listen === '::' ? '[::1]' : listen;
}
