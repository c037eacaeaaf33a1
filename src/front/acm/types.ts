/** What ACM's front door needs: the wishes, and what checks certificates and keeps their keys. */
import type { IntentDeps } from '#intent/index.ts';
import type { KeyFiles } from '#certificates/index.ts';

export type AcmDeps = IntentDeps & { keys: KeyFiles };
