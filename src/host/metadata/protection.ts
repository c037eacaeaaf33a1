/** The task-protection endpoint: carried to the control plane, told in the ECS agent's shapes (its taskprotection/v1 handlers). */
import { asFault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { controlOps } from '#link/operations.ts';
import type { TaskProtectionAnswer, TaskProtectionCall } from '#link/operations.ts';
import type { TaskEntry } from '../journal.ts';
import type { Uplink } from '../uplink.ts';
import type { MetadataResponse } from './server.ts';

/** As the agent waits for ECS. */
const CALL_MS = 4_000;

export async function protectionResponse(uplink: Uplink, entry: TaskEntry, method: string, body: string): Promise<MetadataResponse> {
  const arn = entry.assignment.labels.taskArn;
  const wish = method === 'PUT' ? parse(body, arn) : { wish: {} };
  if ('refused' in wish) return wish.refused;
  const call: TaskProtectionCall = { taskId: entry.report.taskId, ...wish.wish };
  try {
    const link = uplink.current();
    if (link === null) return timedOut(arn);
    const answer = (await link.request(controlOps.taskProtection, call as Json, { timeoutMs: CALL_MS })) as unknown as TaskProtectionAnswer;
    if ('failure' in answer) return { status: 200, json: { failure: { Arn: arn, Detail: null, Reason: answer.failure } } };
    const { until } = answer;
    const ends = until === null ? null : new Date(until).toISOString();
    return { status: 200, json: { protection: { ExpirationDate: ends, ProtectionEnabled: until !== null, TaskArn: arn } } };
  } catch (error) {
    const fault = asFault(error);
    if (fault.code === 'TimedOut' || fault.code === 'Unavailable') return timedOut(arn);
    if (fault.code === 'InvalidParameter') return failed(400, 'InvalidParameterException', fault.message, arn);
    return failed(500, 'ServerException', 'Unexpected error occurred', arn);
  }
}

/** When no task is found for the request. */
export function protectionNotFound(): MetadataResponse {
  return failed(404, 'ResourceNotFoundException', 'Failed to find a task for the request');
}

function parse(body: string, arn: string): { wish: Omit<TaskProtectionCall, 'taskId'> } | { refused: MetadataResponse } {
  const undecoded = { refused: failed(400, 'InvalidParameterException', 'UpdateTaskProtection: failed to decode request') };
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undecoded;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undecoded;
  const { ProtectionEnabled: enabled, ExpiresInMinutes: minutes, ...others } = value as Record<string, unknown>;
  const isMinutes = minutes === undefined || minutes === null || Number.isSafeInteger(minutes);
  if (Object.keys(others).length > 0 || !isMinutes) return undecoded;
  if (enabled === undefined || enabled === null) {
    return { refused: failed(400, 'InvalidParameterException', "Invalid request: does not contain 'ProtectionEnabled' field", arn) };
  }
  if (typeof enabled !== 'boolean') return undecoded;
  return { wish: { enabled, ...(typeof minutes === 'number' ? { minutes } : {}) } };
}

function timedOut(arn: string): MetadataResponse {
  return failed(504, 'RequestCanceled', 'Timed out calling ECS Task Protection API', arn);
}

function failed(status: number, code: string, message: string, arn?: string): MetadataResponse {
  return { status, json: { error: { ...(arn === undefined ? {} : { Arn: arn }), Code: code, Message: message } } };
}
