/** Actions of listeners and rules, from the API's words to ours and back. */
import type { Action } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault, notInBerth } from '#domain/elb-fault.ts';
import { unchangedRedirect } from '#domain/listener-actions.ts';
import { forwardWeights, type ListenerAction, type TrafficShift } from '#domain/load-balancer.ts';
import { enumValue } from './input.ts';

const types = ['forward', 'authenticate-oidc', 'authenticate-cognito', 'redirect', 'fixed-response', 'jwt-validation'] as const;

/** Throws ValidationError, and Unsupported for the kinds that berth has not. */
export function toActions(input: readonly Action[]): ListenerAction[] {
  return input.map((action, index) => {
    const type = enumValue(action.Type ?? '', types, `actions.${index + 1}.member.type`);
    switch (type) {
      case 'forward':
        return toForward(action);
      case 'redirect':
        return toRedirect(action);
      case 'fixed-response':
        return toFixedResponse(action);
      default:
        throw notInBerth(`listener actions of the type ${type}`);
    }
  });
}

/** As AWS shows them; weights are those in force. */
export function actionViews(actions: readonly ListenerAction[], modifiedAt: number, shift: TrafficShift | null): Action[] {
  return actions.map((action) => {
    const common = { Type: action.type, ...(action.order === null ? {} : { Order: action.order }) };
    switch (action.type) {
      case 'forward':
        return { ...common, ...forwardView(action, forwardWeights(action, modifiedAt, shift)) };
      case 'redirect': {
        const { protocol: Protocol, port: Port, host: Host, path: Path, query: Query, statusCode: StatusCode } = action;
        return { ...common, RedirectConfig: { Protocol, Port, Host, Path, Query, StatusCode } };
      }
      case 'fixed-response': {
        const { statusCode: StatusCode, contentType, body } = action;
        const optional = { ...(body === null ? {} : { MessageBody: body }), ...(contentType === null ? {} : { ContentType: contentType }) };
        return { ...common, FixedResponseConfig: { StatusCode, ...optional } };
      }
    }
  });
}

function toForward(action: Action): ListenerAction {
  const tuples = action.ForwardConfig?.TargetGroups ?? [];
  const single = action.TargetGroupArn;
  if (single !== undefined && tuples.length > 0 && !(tuples.length === 1 && tuples[0]?.TargetGroupArn === single)) {
    throw elbFault(
      'ValidationError',
      'If both a target group ARN and a forward configuration are specified, they must name the same target group',
    );
  }
  const named = tuples.length === 0 && single !== undefined ? [{ TargetGroupArn: single }] : tuples;
  const groups = named.map((tuple) => {
    if (tuple.TargetGroupArn === undefined) throw elbFault('ValidationError', 'A target group ARN must be specified');
    return { arn: tuple.TargetGroupArn, weight: ('Weight' in tuple ? tuple.Weight : undefined) ?? 1 };
  });
  const sticky = action.ForwardConfig?.TargetGroupStickinessConfig;
  return {
    type: 'forward',
    order: action.Order ?? null,
    groups,
    stickiness: sticky === undefined ? null : { enabled: sticky.Enabled ?? false, seconds: sticky.DurationSeconds ?? null },
  };
}

function forwardView(action: Extract<ListenerAction, { type: 'forward' }>, weights: { arn: string; weight: number }[]): Partial<Action> {
  const [only, second] = weights;
  const { enabled, seconds } = action.stickiness ?? { enabled: false, seconds: null };
  return {
    ...(only !== undefined && second === undefined ? { TargetGroupArn: only.arn } : {}),
    ForwardConfig: {
      TargetGroups: weights.map(({ arn, weight }) => ({ TargetGroupArn: arn, Weight: weight })),
      TargetGroupStickinessConfig: { Enabled: enabled, ...(seconds === null ? {} : { DurationSeconds: seconds }) },
    },
  };
}

function toRedirect(action: Action): ListenerAction {
  const config = action.RedirectConfig;
  if (config === undefined) {
    throw elbFault('ValidationError', "A redirect configuration must be specified for an action of the type 'redirect'");
  }
  return {
    type: 'redirect',
    order: action.Order ?? null,
    protocol: config.Protocol ?? unchangedRedirect.protocol,
    port: config.Port ?? unchangedRedirect.port,
    host: config.Host ?? unchangedRedirect.host,
    path: config.Path ?? unchangedRedirect.path,
    query: config.Query ?? unchangedRedirect.query,
    statusCode: enumValue(config.StatusCode ?? '', ['HTTP_301', 'HTTP_302'], 'redirectConfig.statusCode'),
  };
}

function toFixedResponse(action: Action): ListenerAction {
  const config = action.FixedResponseConfig;
  if (config === undefined) {
    throw elbFault('ValidationError', "A fixed response configuration must be specified for an action of the type 'fixed-response'");
  }
  return {
    type: 'fixed-response',
    order: action.Order ?? null,
    statusCode: config.StatusCode ?? '',
    contentType: config.ContentType ?? null,
    body: config.MessageBody ?? null,
  };
}
