/** The members that creating and modifying a listener share. */
import type { Action, Certificate, MutualAuthenticationAttributes } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault, notInBerth } from '#domain/elb-fault.ts';
import type { ListenerChange } from '#intent/index.ts';
import { toActions } from './actions.ts';
import { listenerProtocol } from './protocols.ts';

type Input = {
  Protocol?: string | undefined;
  Port?: number | undefined;
  SslPolicy?: string | undefined;
  Certificates?: Certificate[] | undefined;
  DefaultActions?: Action[] | undefined;
  AlpnPolicy?: string[] | undefined;
  MutualAuthentication?: MutualAuthenticationAttributes | undefined;
};

export function listenerChangeOf(input: Input): ListenerChange {
  const mutual = input.MutualAuthentication?.Mode ?? 'off';
  if (mutual !== 'off') throw notInBerth(`mutual authentication (mode ${mutual.slice(0, 40)}): use off`);
  const [alpnPolicy, second] = input.AlpnPolicy ?? [];
  if (second !== undefined) throw elbFault('ValidationError', 'Only one ALPN policy can be specified');
  return {
    port: input.Port,
    protocol: input.Protocol === undefined ? undefined : listenerProtocol(input.Protocol),
    sslPolicy: input.SslPolicy,
    certificateArns: input.Certificates === undefined ? undefined : certificateArnsOf(input.Certificates),
    alpnPolicy,
    defaultActions: input.DefaultActions === undefined ? undefined : toActions(input.DefaultActions),
  };
}

/** `IsDefault` is an answer's. Throws ValidationError. */
export function certificateArnsOf(input: readonly Certificate[]): string[] {
  return input.map((certificate) => {
    if (certificate.IsDefault !== undefined) throw elbFault('ValidationError', 'You cannot set the isDefault parameter for a certificate');
    if (certificate.CertificateArn === undefined) throw elbFault('ValidationError', 'A certificate ARN must be specified');
    return certificate.CertificateArn;
  });
}
