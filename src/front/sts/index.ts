export { createStsApi } from './api.ts';
