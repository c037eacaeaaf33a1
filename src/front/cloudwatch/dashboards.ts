/** The operations of dashboards. Of a body it is checked that it is a JSON object with a list of widgets; what is in them is for whoever draws them. */
import type {
  DeleteDashboardsInput,
  GetDashboardInput,
  GetDashboardOutput,
  ListDashboardsInput,
  ListDashboardsOutput,
  PutDashboardInput,
  PutDashboardOutput,
} from '@aws-sdk/client-cloudwatch';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { dashboardArn, dashboardKey, dashboardScope } from '#domain/dashboard.ts';
import { cutPage } from '#gateway/page.ts';
import type { Handler } from '#gateway/types.ts';
import { deleteDashboards, putDashboard } from '#intent/index.ts';
import { invalidValue, missing } from './errors.ts';
import { otherList } from './tokens.ts';
import type { CloudWatchDeps } from './types.ts';

const PAGE = 1000;
const MOST_NAMES = 100;

const invalidInput = (message: string) => new Fault('InvalidParameter', message, { details: { errorName: 'DashboardInvalidInputError' } });

/** `refuse`: with the error that the operation has for it. */
function checkName(name: string | undefined, refuse: (message: string) => Fault = invalidValue): string {
  if (name === undefined || name === '') throw missing('The parameter DashboardName is required.');
  if (/^[A-Za-z0-9_-]{1,255}$/.test(name)) return name;
  throw refuse(
    `The value ${name.slice(0, 50)} for field DashboardName has invalid characters: it takes letters, digits, - and _, at most 255.`,
  );
}

function checkBody(text: string | undefined): string {
  if (text === undefined || text === '') throw missing('The parameter DashboardBody is required.');
  if (text.length > limits.dashboardChars)
    throw invalidInput(`The field DashboardBody is longer than ${limits.dashboardChars} characters.`);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw invalidInput('The field DashboardBody must be a valid JSON object.');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalidInput('The field DashboardBody must be a valid JSON object.');
  const { widgets = [] } = body as { widgets?: unknown };
  if (!Array.isArray(widgets) || widgets.length > limits.dashboardWidgets)
    throw invalidInput(`The field DashboardBody must have a list of at most ${limits.dashboardWidgets} widgets.`);
  return text;
}

function put({ intent }: CloudWatchDeps): Handler<PutDashboardInput, PutDashboardOutput> {
  return {
    name: 'PutDashboard',
    async handle({ DashboardName: name, DashboardBody: body, Tags: tags = [] }, { account }) {
      if (tags.length > 0) throw invalidValue('Tags of dashboards are not here: leave Tags out.');
      await putDashboard(intent, account, checkName(name, invalidInput), checkBody(body));
      return { DashboardValidationMessages: [] };
    },
  };
}

function get({ intent }: CloudWatchDeps): Handler<GetDashboardInput, GetDashboardOutput> {
  return {
    name: 'GetDashboard',
    async handle(input, { account }) {
      const name = checkName(input.DashboardName);
      const found = await intent.store.read((tx) => tx.dashboards.get(dashboardKey({ account }, name)));
      if (found === undefined) {
        throw new Fault('ResourceNotFound', `Dashboard ${name} does not exist`, { details: { errorName: 'DashboardNotFoundError' } });
      }
      return { DashboardArn: dashboardArn({ account }, name), DashboardBody: found.text, DashboardName: name };
    },
  };
}

function list({ intent }: CloudWatchDeps): Handler<ListDashboardsInput, ListDashboardsOutput> {
  return {
    name: 'ListDashboards',
    async handle({ DashboardNamePrefix: prefix = '', NextToken: token }, { account }) {
      const all = await intent.store.read((tx) => tx.dashboards.list(dashboardScope({ account })));
      const fit = all.filter(({ key }) => key.name.startsWith(prefix));
      const { page, next } = cutPage(fit, ({ key }) => key.name, { size: PAGE, token }, otherList);
      const entries = page.map(({ key, text, updatedAt }) => ({
        DashboardName: key.name,
        DashboardArn: dashboardArn({ account }, key.name),
        LastModified: new Date(updatedAt),
        Size: Buffer.byteLength(text),
      }));
      return { DashboardEntries: entries, ...(next === undefined ? {} : { NextToken: next }) };
    },
  };
}

function remove({ intent }: CloudWatchDeps): Handler<DeleteDashboardsInput> {
  return {
    name: 'DeleteDashboards',
    async handle({ DashboardNames: names }, { account }) {
      if (names === undefined || names.length === 0) throw missing('The parameter DashboardNames is required.');
      if (names.length > MOST_NAMES) throw invalidValue(`The collection DashboardNames must not have a size greater than ${MOST_NAMES}.`);
      await deleteDashboards(
        intent,
        account,
        names.map((name) => checkName(name)),
      );
      return {};
    },
  };
}

export const dashboardOperations = [put, get, list, remove];
