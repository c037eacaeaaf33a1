/** All commands, in the order of the overview. */
import type { Command } from '../command.ts';
import { cp } from './cp.ts';
import { demo } from './demo.ts';
import { deploy } from './deploy.ts';
import { doctor } from './doctor.ts';
import { down } from './down.ts';
import { env } from './env.ts';
import { exec } from './exec.ts';
import { events } from './events.ts';
import { imageCommands } from './image.ts';
import { inspect } from './inspect.ts';
import { install } from './install.ts';
import { logs } from './logs.ts';
import { ps } from './ps.ts';
import { rm } from './rm.ts';
import { rollback } from './rollback.ts';
import { run } from './run.ts';
import { scale } from './scale.ts';
import { services } from './services.ts';
import { setup } from './setup.ts';
import { status } from './status.ts';
import { stop } from './stop.ts';
import { top } from './top.ts';
import { trust } from './trust.ts';
import { up } from './up.ts';
import { usage } from './usage.ts';
import { vaultCommands } from './vault.ts';
import { volumeCommands } from './volumes.ts';

export const commands: Command[] = [
  demo,
  doctor,
  up,
  env,
  run,
  ps,
  services,
  top,
  usage,
  logs,
  exec,
  cp,
  events,
  scale,
  deploy,
  rollback,
  stop,
  rm,
  inspect,
  ...imageCommands,
  ...volumeCommands,
  status,
  trust,
  ...vaultCommands,
  down,
  install,
  setup,
];
