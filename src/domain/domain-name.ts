/** Names that a certificate may carry (ACM API reference, RequestCertificate, DomainName). */
const label = '(?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9]';
export const DOMAIN_NAME_PATTERN = `(\\*\\.)?((${label})\\.)+((?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9])`;
const domainName = new RegExp(`^${DOMAIN_NAME_PATTERN}$`);
export const DOMAIN_NAME_CHARS = 253;

/** A DNS name of at least two labels, the first of which may be `*`. */
export function isDomainName(text: string): boolean {
  return text.length <= DOMAIN_NAME_CHARS && domainName.test(text);
}
