import { apiLimits } from '#base/limits/api.ts';
import { controlLimits } from '#base/limits/control.ts';
import { hostLimits } from '#base/limits/host.ts';

/** Every named bound of berth, in one place. Units are in the names; a name stands in one of the parts. */
export const limits = { ...hostLimits, ...apiLimits, ...controlLimits } as const;
