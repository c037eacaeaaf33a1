/** Images of the applications in this folder, as their public ones are named, made from Debian's packages and kept for the next run. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { dirname, join } from 'node:path';
import { realClock } from '#base/clock.ts';
import { buildImage } from '#image/build.ts';
import type { BuildConfig } from '#image/build.ts';
import { fetchDebianFiles } from '#image/debian-packages.ts';
import { fluentBitPackages, fluentBitProgram } from '../fluent-bit.ts';
import { root } from '../platform.ts';
import type { Platform } from '../platform.ts';

/** Raise it when a recipe changes. */
const RECIPES = 5;
/** What the archives of all recipes may take; past it the one that was used longest ago goes. */
const CACHE_BYTES = 1e9;
const cacheDir = join(root, '.berth/cache/wild');
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin:/usr/lib/rabbitmq/bin';

type Recipe = {
  packages: string[];
  config: BuildConfig;
  files?: Record<string, string>;
  directories?: string[];
  /** Where it goes -> what builds it and tells where it is. */
  programs?: Record<string, () => string>;
};

const passwd = 'root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\nmysql:x:101:101::/:/bin/sh\npostgres:x:102:102::/var/lib/postgresql:/bin/sh\nrabbitmq:x:103:103::/var/lib/rabbitmq:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n'; // prettier-ignore
const group = 'root:x:0:\nwww-data:x:33:\nmysql:x:101:\npostgres:x:102:\nrabbitmq:x:103:\nnogroup:x:65534:\n';

/** What the official image's entry point does with the same variables, at its least. */
const mariadbEntry = `#!/bin/sh
set -e
mkdir -p /run/mysqld /var/lib/mysql && chown mysql:mysql /run/mysqld /var/lib/mysql
if [ ! -d /var/lib/mysql/mysql ]; then
  mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db >/dev/null
  cat > /tmp/init.sql <<SQL
CREATE DATABASE \\\`$MARIADB_DATABASE\\\`;
CREATE USER '$MARIADB_USER'@'%' IDENTIFIED BY '$MARIADB_PASSWORD';
GRANT ALL ON \\\`$MARIADB_DATABASE\\\`.* TO '$MARIADB_USER'@'%';
SQL
  set -- "$@" --init-file=/tmp/init.sql
fi
exec mariadbd --user=mysql --datadir=/var/lib/mysql --bind-address=0.0.0.0 --plugin-dir=/usr/lib/mysql/plugin "$@"
`;
const postgresEntry = `#!/bin/sh
set -e
export PGDATA=/var/lib/postgresql/data
[ -s $PGDATA/PG_VERSION ] || { echo "$POSTGRES_PASSWORD" > /tmp/pw; initdb -U "$POSTGRES_USER" --pwfile=/tmp/pw -A md5 >/dev/null; }
exec postgres -k /tmp -c listen_addresses='*'
`;
const nginxFpm = `user www-data;
daemon off;
error_log stderr;
events {}
http {
  access_log /dev/stdout;
  server {
    listen 80;
    root /var/www/html;
    location / {
      include fastcgi_params;
      fastcgi_param SCRIPT_FILENAME /var/www/html/index.php;
      fastcgi_pass 127.0.0.1:9000;
    }
  }
}
`;
const phpPage = `<?php
$cache = stream_socket_client('tcp://' . getenv('REDIS_HOST') . ':6379');
fwrite($cache, "INCR hits\\r\\n");
$hits = (int) substr(fgets($cache), 1);
$db = new mysqli(getenv('DB_HOST'), getenv('DB_USER'), getenv('DB_PASSWORD'), getenv('DB_NAME'));
$db->query('CREATE TABLE IF NOT EXISTS posts (id INT AUTO_INCREMENT PRIMARY KEY, title TEXT)');
$db->query("INSERT INTO posts (title) VALUES ('post $hits')");
$row = $db->query('SELECT COUNT(*) AS posts FROM posts')->fetch_assoc();
echo "hits $hits posts {$row['posts']}\\n";
`;
const flaskApp = `import os, psycopg2
from flask import Flask
app = Flask(__name__)
def connect():
    e = os.environ
    return psycopg2.connect(host=e['PGHOST'], user=e['PGUSER'], password=e['PGPASSWORD'], dbname='postgres')
@app.route('/')
def index():
    with connect() as db, db.cursor() as c:
        c.execute('CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now())')
        c.execute('INSERT INTO visits DEFAULT VALUES')
        c.execute('SELECT count(*) FROM visits')
        return 'visits %d\\n' % c.fetchone()[0]
`;
const haproxyConfig = `defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend web
  bind :80
  default_backend app
backend app
  http-response set-header X-Proxy haproxy
  server app 127.0.0.1:8080
`;
const prometheusConfig = `global: { scrape_interval: 1s }
scrape_configs:
  - { job_name: node, static_configs: [{ targets: ['localhost:9100'] }] }
`;

/** As a user would put it into an image of his own, for `config-file-value`. */
const fluentBitExtra = `[SERVICE]
    Flush 0.2
    Grace 5

[FILTER]
    Name modify
    Match *
    Add fleet blue
`;

const celeryApp = `import os
from celery import Celery
app = Celery('tasks', broker=os.environ['CELERY_BROKER_URL'], backend='rpc://')
@app.task
def add(x, y):
    return x + y
`;
const djangoApp = `import os, sys
from django.conf import settings
e = os.environ
database = dict(ENGINE='django.db.backends.postgresql', HOST=e['DB_HOST'], NAME='postgres', USER=e['DB_USER'], PASSWORD=e['DB_PASSWORD'])
settings.configure(
    SECRET_KEY=e['SECRET_KEY'], ALLOWED_HOSTS=['*'], ROOT_URLCONF=__name__, DATABASES={'default': database}, USE_TZ=True,
    INSTALLED_APPS=['django.contrib.contenttypes', 'django.contrib.auth'], DEFAULT_AUTO_FIELD='django.db.models.AutoField')
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
def index(request):
    User.objects.create_user('user%d' % User.objects.count())
    return HttpResponse('users %d' % User.objects.count())
urlpatterns = [path('', index)]
application = get_wsgi_application()
if __name__ == '__main__':
    execute_from_command_line(sys.argv)
`;
const nginxProxy = `daemon off;
error_log stderr;
events {}
http {
  access_log /dev/stdout;
  server {
    listen 80;
    location / { proxy_pass http://127.0.0.1:8000; proxy_set_header Host $host; }
  }
}
`;
const python = ['python3-minimal', 'python3.11-minimal', 'python3.11', 'python3-pkg-resources', 'python3-setuptools'];
const erlang = ['base', 'crypto', 'eldap', 'inets', 'mnesia', 'os-mon', 'parsetools', 'public-key', 'runtime-tools', 'ssl', 'syntax-tools', 'tools', 'xmerl', 'asn1']; // prettier-ignore

const recipes: Record<string, Recipe> = {
  'busybox:1': { packages: [], config: { Cmd: ['sh'] } },
  'redis:7': { packages: ['redis-server', 'redis-tools'], config: { Cmd: ['redis-server', '--protected-mode', 'no', '--save', ''] } },
  'memcached:1.6': { packages: ['memcached'], config: { Cmd: ['memcached', '-u', 'nobody'] } },
  'mariadb:10': {
    packages: ['mariadb-server-core', 'mariadb-client-core', 'mariadb-common'],
    config: { Entrypoint: ['/entrypoint.sh'] },
    files: { 'entrypoint.sh': mariadbEntry },
  },
  'example/wordpress-fpm:8.2': {
    packages: ['php8.2-fpm', 'php8.2-cli', 'php8.2-common', 'php8.2-mysql'],
    config: { Cmd: ['php-fpm8.2', '-F', '-y', '/etc/fpm.conf', '-c', '/etc/php.ini'], WorkingDir: '/var/www/html', StopSignal: 'SIGQUIT' },
    files: {
      'etc/fpm.conf': '[global]\nerror_log = /proc/self/fd/2\n[www]\nuser = www-data\nlisten = 127.0.0.1:9000\npm = static\npm.max_children = 2\nclear_env = no\n', // prettier-ignore
      'etc/php.ini': 'extension=mysqlnd.so\nextension=mysqli.so\n',
      'usr/src/index.php': phpPage,
    },
  },
  'nginx:1': {
    packages: ['nginx'],
    config: { Cmd: ['nginx'], StopSignal: 'SIGQUIT', ExposedPorts: { '80/tcp': {} } },
    files: { 'etc/nginx/nginx.conf': nginxFpm },
    directories: ['var/log/nginx', 'var/lib/nginx', 'var/www/html'],
  },
  'postgres:15': {
    packages: ['postgresql-15', 'postgresql-client-15', 'tzdata'],
    config: { Entrypoint: ['/entrypoint.sh'], User: 'postgres', StopSignal: 'SIGINT' },
    files: { 'entrypoint.sh': postgresEntry },
    directories: ['var/lib/postgresql'],
  },
  'example/flask:3': {
    packages: [...python, 'gunicorn', 'python3-gunicorn', 'python3-flask', 'python3-werkzeug', 'python3-jinja2', 'python3-markupsafe', 'python3-itsdangerous', 'python3-click', 'python3-colorama', 'python3-psycopg2'], // prettier-ignore
    config: { Cmd: ['python3', '-m', 'gunicorn', '-b', '0.0.0.0:8000', 'app:app'], WorkingDir: '/srv' },
    files: { 'srv/app.py': flaskApp },
  },
  'haproxy:2': {
    packages: ['haproxy'],
    config: { Cmd: ['haproxy', '-W', '-db', '-f', '/etc/haproxy.cfg'] },
    files: { 'etc/haproxy.cfg': haproxyConfig },
  },
  'prom/prometheus:v2': {
    packages: ['prometheus'],
    config: { Entrypoint: ['prometheus', '--config.file=/etc/prometheus.yml', '--storage.tsdb.path=/prometheus'] },
    files: { 'etc/prometheus.yml': prometheusConfig },
    directories: ['prometheus'],
  },
  'prom/alertmanager:v0': {
    packages: ['prometheus-alertmanager'],
    config: { Entrypoint: ['prometheus-alertmanager', '--config.file=/etc/alertmanager.yml', '--storage.path=/alertmanager', '--cluster.listen-address='] }, // prettier-ignore
    files: { 'etc/alertmanager.yml': 'route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n' },
    directories: ['alertmanager'],
  },
  'prom/pushgateway:v1': { packages: ['prometheus-pushgateway'], config: { Entrypoint: ['prometheus-pushgateway'] } },
  'eclipse-mosquitto:2': {
    packages: ['mosquitto', 'mosquitto-clients'],
    config: { Cmd: ['mosquitto', '-c', '/mosquitto.conf'] },
    files: { 'mosquitto.conf': 'listener 1883\nallow_anonymous true\nuser root\n' },
  },
  'rabbitmq:3': {
    packages: ['rabbitmq-server', ...erlang.map((part) => `erlang-${part}`)],
    config: { Cmd: ['/usr/lib/rabbitmq/bin/rabbitmq-server'], User: 'rabbitmq' },
    directories: ['var/lib/rabbitmq', 'var/lib/rabbitmq/mnesia', 'var/log/rabbitmq'],
  },
  'example/celery:5': {
    packages: [...python, 'python3-celery', 'python3-kombu', 'python3-amqp', 'python3-vine', 'python3-billiard', 'python3-click', 'python3-click-didyoumean', 'python3-click-repl', 'python3-click-plugins', 'python3-prompt-toolkit', 'python3-wcwidth', 'python3-six', 'python3-tz', 'python3-dateutil', 'tzdata'], // prettier-ignore
    config: { Cmd: ['python3', '-m', 'celery', '-A', 'tasks', 'worker'], WorkingDir: '/srv' },
    files: { 'srv/tasks.py': celeryApp },
  },
  'example/django:3': {
    packages: [...python, 'gunicorn', 'python3-gunicorn', 'python3-django', 'python3-asgiref', 'python3-sqlparse', 'python3-tz', 'tzdata', 'python3-psycopg2'], // prettier-ignore
    config: { Cmd: ['python3', '-m', 'gunicorn', '-b', '127.0.0.1:8000', 'shop:application'], WorkingDir: '/srv' },
    files: { 'srv/shop.py': djangoApp },
  },
  'example/django-nginx:1': {
    packages: ['nginx'],
    config: { Cmd: ['nginx'], StopSignal: 'SIGQUIT', ExposedPorts: { '80/tcp': {} } },
    files: { 'etc/nginx/nginx.conf': `user www-data;\n${nginxProxy}` },
    directories: ['var/log/nginx', 'var/lib/nginx'],
  },
  'prom/node-exporter:v1': { packages: ['prometheus-node-exporter'], config: { Entrypoint: ['prometheus-node-exporter'] } },
  'alpine/socat:1': { packages: ['socat'], config: { Entrypoint: ['socat'] } },
  'amazon/aws-for-fluent-bit:2': {
    packages: fluentBitPackages,
    config: { Entrypoint: ['/fluent-bit/bin/fluent-bit', '-c', '/fluent-bit/etc/fluent-bit.conf'] },
    files: { 'fluent-bit/etc/extra.conf': fluentBitExtra, 'fluent-bit/etc/fluent-bit.conf': '[INPUT]\n    Name dummy\n' },
    programs: { 'fluent-bit/bin/fluent-bit': fluentBitProgram },
  },
  'amazon/aws-xray-daemon:3': {
    packages: ['socat'],
    config: { Entrypoint: ['socat', '-u', 'UDP-RECVFROM:2000,fork,reuseaddr', 'OPEN:/traces/all,creat,append'] },
    directories: ['traces'],
  },
};

/** Brings the images that a definition names. */
export async function importImages(platform: Platform, refs: string[]): Promise<void> {
  for (const ref of new Set(refs)) await platform.ok(['image', 'import', await archiveOf(ref), '--name', ref], { timeoutMs: 120_000 });
}

async function archiveOf(ref: string): Promise<string> {
  const recipe = recipes[ref];
  if (recipe === undefined) throw new Error(`no recipe makes the image ${ref}`);
  const out = join(cacheDir, `${ref.replaceAll(/[/:]/g, '_')}-${process.arch}-${RECIPES}.tar`);
  if (existsSync(out)) {
    utimesSync(out, new Date(), new Date());
    return out;
  }
  mkdirSync(cacheDir, { recursive: true });
  const work = mkdtempSync(join(cacheDir, '.work-'));
  try {
    const [tree, scratch] = [join(work, 'root'), join(work, 'apt')];
    mkdirSync(tree);
    mkdirSync(scratch);
    await fetchDebianFiles({ clock: realClock(), packages: [...recipe.packages, 'busybox-static'], scratch, root: tree });
    furnish(tree, recipe);
    const platform = { os: 'linux', arch: process.arch === 'arm64' ? 'arm64' : 'amd64' } as const;
    const config = { ...recipe.config, Env: [PATH] };
    await buildImage({ directories: [tree], config, platform, out, name: ref, compression: 'zstd', owner: () => ({ uid: 0, gid: 0 }) });
    boundCache(out);
    return out;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Removes what former recipes made, and what was used longest ago once all is too much. */
function boundCache(newest: string): void {
  const archives = readdirSync(cacheDir).filter((name) => name.endsWith('.tar')).map((name) => join(cacheDir, name)); // prettier-ignore
  const [current, former] = [archives.filter((path) => path.endsWith(`-${RECIPES}.tar`)), archives.filter((path) => !path.endsWith(`-${RECIPES}.tar`))]; // prettier-ignore
  const byUse = current.map((path) => ({ path, ...usage(path) })).toSorted((a, b) => b.usedMs - a.usedMs);
  let bytes = 0;
  const tooMuch = byUse.filter(({ path, size }) => (bytes += size) > CACHE_BYTES && path !== newest).map(({ path }) => path);
  for (const path of [...former, ...tooMuch]) rmSync(path, { force: true });
}

function usage(path: string): { size: number; usedMs: number } {
  const { size, mtimeMs } = statSync(path);
  return { size, usedMs: mtimeMs };
}

/** A shell and its applets where the packages bring none of their own, users, and the recipe's files. */
function furnish(tree: string, recipe: Recipe): void {
  const busybox = join(tree, 'usr/bin/busybox');
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n')) {
    const path = join(tree, 'usr/bin', applet);
    if (/^[\w[.-]+$/.test(applet) && !existsSync(path) && !existsSync(join(tree, 'usr/sbin', applet))) symlinkSync('busybox', path);
  }
  // The alternatives that maintainer scripts would have set up.
  if (existsSync(join(tree, 'usr/bin/python3.11')) && !existsSync(join(tree, 'usr/bin/python3'))) symlinkSync('python3.11', join(tree, 'usr/bin/python3')); // prettier-ignore
  for (const name of ['usr/share/doc', 'usr/share/man', 'usr/share/locale']) rmSync(join(tree, name), { recursive: true, force: true });
  for (const [name, content] of Object.entries({ 'etc/passwd': passwd, 'etc/group': group, ...recipe.files })) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    writeFileSync(join(tree, name), content, { mode: content.startsWith('#!') ? 0o755 : 0o644 });
  }
  for (const [name, built] of Object.entries(recipe.programs ?? {})) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    copyFileSync(built(), join(tree, name));
  }
  for (const name of ['root', 'run', 'tmp', 'var/run', ...(recipe.directories ?? [])]) {
    mkdirSync(join(tree, name), { recursive: true });
    if (name !== 'root') chmodSync(join(tree, name), 0o1777);
  }
}
