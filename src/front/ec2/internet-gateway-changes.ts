import type {
  AttachInternetGatewayRequest,
  CreateInternetGatewayRequest,
  CreateInternetGatewayResult,
  DeleteInternetGatewayRequest,
  DetachInternetGatewayRequest,
} from '@aws-sdk/client-ec2';
import { attachInternetGateway, createInternetGateway, deleteInternetGateway, detachInternetGateway } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { internetGatewayView } from './describe-internet-gateways.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { tagsFor } from './tag-specifications.ts';

export const createInternetGatewayOperation = (deps: IntentDeps) =>
  ec2Operation<CreateInternetGatewayRequest, CreateInternetGatewayResult>('CreateInternetGateway', async (input, context) => {
    const gateway = await createInternetGateway(deps, scopeOf(context), tagsFor('internet-gateway', input.TagSpecifications));
    return { InternetGateway: internetGatewayView(gateway) };
  });

export const attachInternetGatewayOperation = (deps: IntentDeps) =>
  ec2Operation<AttachInternetGatewayRequest, object>('AttachInternetGateway', async (input, context) => {
    await attachInternetGateway(deps, scopeOf(context), input.InternetGatewayId ?? '', input.VpcId ?? '');
    return {};
  });

export const detachInternetGatewayOperation = (deps: IntentDeps) =>
  ec2Operation<DetachInternetGatewayRequest, object>('DetachInternetGateway', async (input, context) => {
    await detachInternetGateway(deps, scopeOf(context), input.InternetGatewayId ?? '', input.VpcId ?? '');
    return {};
  });

export const deleteInternetGatewayOperation = (deps: IntentDeps) =>
  ec2Operation<DeleteInternetGatewayRequest, object>('DeleteInternetGateway', async (input, context) => {
    await deleteInternetGateway(deps, scopeOf(context), input.InternetGatewayId ?? '');
    return {};
  });
