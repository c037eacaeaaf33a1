/** Events in words: one line each. */
import type { Answer } from './client.ts';

/** `3f2a91c0` of a task's ARN, `web` of a service's. */
const short = (arn: unknown): string => {
  const last = String(arn).split('/').at(-1) ?? '';
  return /^[0-9a-f]{32}$/.test(last) ? last.slice(0, 8) : last;
};

const LONGEST = 200;

/** What an event tells, without its time. */
export function eventSummary(event: Answer): string {
  const { detail = {}, resources = [] } = event;
  switch (event['detail-type']) {
    case 'ECS Task State Change':
      return taskSummary(detail);
    case 'ECS Service Action':
    case 'ECS Deployment State Change':
      return `service ${short(resources[0])}  ${detail.eventName}${detail.reason === undefined ? '' : `: ${detail.reason}`}`;
    case 'ECS Container Instance State Change':
      return `host ${short(detail.containerInstanceArn)}  ${detail.agentConnected === true ? 'connected' : 'disconnected'}`;
    case 'CloudWatch Alarm State Change':
      return `alarm ${detail.alarmName}  ${detail.previousState?.value} -> ${detail.state?.value}: ${detail.state?.reason}`;
    case 'Scheduled Event':
      return `schedule ${short(resources[0])} is due`;
    default:
      return clipped(JSON.stringify(detail));
  }
}

function taskSummary(detail: Answer): string {
  const name = String(detail.group ?? '').replace(/^(family|service):/, '');
  const ended = detail.lastStatus === 'STOPPED' && detail.stoppedReason !== undefined ? `: ${detail.stoppedReason}` : '';
  const codes = (detail.containers ?? [])
    .filter((one: Answer) => one.exitCode !== undefined)
    .map((one: Answer) => `${one.name} ${one.exitCode}`);
  const exits = ended === '' || codes.length === 0 ? '' : ` (exit codes: ${codes.join(', ')})`;
  const wished = detail.desiredStatus !== detail.lastStatus && detail.desiredStatus === 'STOPPED' ? ', to stop' : '';
  return `task ${short(detail.taskArn)} of ${name}  ${detail.lastStatus}${wished}${ended}${exits}`;
}

const clipped = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text);
