/** CloudWatch's dashboards: kept and read back, for those who keep them with their stack. berth draws none. An account has them once, whatever the region. */
import type { Scope } from './scope.ts';

const REGION = 'global';

export type DashboardRecord = {
  key: Scope & { name: string };
  revision: number;
  /** JSON, as it was put. */
  text: string;
  updatedAt: number;
};

export const dashboardKey = ({ account }: { account: string }, name: string): DashboardRecord['key'] => ({ account, region: REGION, name });
export const dashboardArn = ({ account }: { account: string }, name: string) => `arn:aws:cloudwatch::${account}:dashboard/${name}`;
export const dashboardScope = ({ account }: { account: string }): Scope => ({ account, region: REGION });
