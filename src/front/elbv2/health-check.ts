/** The health check's members, which creating and modifying a target group share. */
import type { Matcher } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault } from '#domain/elb-fault.ts';
import type { HealthCheckWish } from '#domain/target-health-check.ts';
import { enumValue } from './input.ts';

type Input = {
  HealthCheckEnabled?: boolean | undefined;
  HealthCheckProtocol?: string | undefined;
  HealthCheckPort?: string | undefined;
  HealthCheckPath?: string | undefined;
  HealthCheckIntervalSeconds?: number | undefined;
  HealthCheckTimeoutSeconds?: number | undefined;
  HealthyThresholdCount?: number | undefined;
  UnhealthyThresholdCount?: number | undefined;
  Matcher?: Matcher | undefined;
};

export function healthCheckOf(input: Input): HealthCheckWish {
  const { HttpCode: http, GrpcCode: grpc } = input.Matcher ?? {};
  if (http !== undefined && grpc !== undefined) {
    throw elbFault('ValidationError', 'You can specify either HTTP codes or gRPC codes, but not both');
  }
  const protocol = input.HealthCheckProtocol;
  return {
    enabled: input.HealthCheckEnabled,
    protocol:
      protocol === undefined ? undefined : enumValue<'HTTP' | 'HTTPS' | 'TCP'>(protocol, ['HTTP', 'HTTPS', 'TCP'], 'healthCheckProtocol'),
    port: input.HealthCheckPort,
    path: input.HealthCheckPath,
    intervalSeconds: input.HealthCheckIntervalSeconds,
    timeoutSeconds: input.HealthCheckTimeoutSeconds,
    healthyThreshold: input.HealthyThresholdCount,
    unhealthyThreshold: input.UnhealthyThresholdCount,
    matcher: http ?? grpc,
  };
}
