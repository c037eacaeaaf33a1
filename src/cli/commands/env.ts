import { exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';

export const env: Command = {
  name: 'env',
  section: 'Start here',
  summary: 'print the variables that point the AWS tools here',
  about: 'For the AWS CLI, boto3, the SDKs and Terraform. The keys were made at the first start; they are worth nothing at AWS.',
  options: [{ name: 'region', value: 'REGION', summary: 'AWS region to name (default: us-east-1; every region exists here)' }, jsonOption],
  examples: [
    { command: 'eval "$(sudo berth env)"', note: 'then: aws ecs list-tasks' },
    {
      command: 'aws --endpoint-url "$AWS_ENDPOINT_URL" ecs list-tasks',
      note: 'for AWS CLI before 2.13, which doesn’t read AWS_ENDPOINT_URL',
    },
  ],
  async run(args, context) {
    const variables = await context.environment(args.text('region'));
    if (args.has('json')) {
      context.terminal.line(JSON.stringify(variables, null, 2));
      return exitCodes.ok;
    }
    context.terminal.line('# AWS CLI before 2.13 (Debian 12 has 2.9) also needs: --endpoint-url "$AWS_ENDPOINT_URL"');
    for (const [name, value] of Object.entries(variables)) context.terminal.line(`export ${name}=${quote(value)}`);
    if (context.terminal.interactive) context.terminal.note('# to use these: eval "$(berth env)"');
    return exitCodes.ok;
  },
};

function quote(value: string): string {
  return /^[\w@%+=:,./-]*$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
