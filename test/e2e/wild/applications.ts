/** Multi-container applications as their task definitions are publicly written, and how to see that each does its job. */
import type { ContainerDefinition, RegisterTaskDefinitionCommandInput } from '@aws-sdk/client-ecs';

export type Application = {
  definition: RegisterTaskDefinitionCommandInput;
  /** A URL at the task's address whose answer must match, one after the other; or what a container prints in the end. */
  asks?: { port: number; path: string; answers: RegExp[] };
  prints?: { container: string; line: RegExp };
};

const log: ContainerDefinition['logConfiguration'] = {
  logDriver: 'awslogs',
  options: { 'awslogs-group': '/e2e', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 'e2e', 'awslogs-create-group': 'true' },
};
const check = (command: string) => ({ command: ['CMD-SHELL', command], interval: 5, timeout: 3, retries: 10, startPeriod: 60 });

function application(family: string, containers: ContainerDefinition[], more: Partial<RegisterTaskDefinitionCommandInput> = {}) {
  return {
    family,
    requiresCompatibilities: ['FARGATE' as const],
    networkMode: 'awsvpc' as const,
    cpu: '1024',
    memory: '2048',
    executionRoleArn: 'arn:aws:iam::123456789012:role/ecsTaskExecutionRole',
    runtimePlatform: { cpuArchitecture: 'X86_64' as const, operatingSystemFamily: 'LINUX' as const },
    containerDefinitions: containers.map((container) => ({ logConfiguration: log, ...container })),
    ...more,
  };
}

const redis: ContainerDefinition = {
  name: 'redis',
  image: 'redis:7',
  portMappings: [{ containerPort: 6379 }],
  healthCheck: check('redis-cli ping || exit 1'),
};

/** A web application with a database and a cache: nginx and php-fpm share a volume, MariaDB and Redis are waited for until HEALTHY. */
const wordpress: Application = {
  definition: application(
    'wordpress',
    [
      {
        name: 'mariadb',
        image: 'mariadb:10',
        environment: [
          { name: 'MARIADB_DATABASE', value: 'wordpress' },
          { name: 'MARIADB_USER', value: 'wp' },
          { name: 'MARIADB_PASSWORD', value: 'secret' },
        ],
        mountPoints: [{ sourceVolume: 'db', containerPath: '/var/lib/mysql' }],
        healthCheck: check('mariadb -h127.0.0.1 -uwp -psecret -e "select 1" wordpress || exit 1'),
      },
      redis,
      {
        name: 'php',
        image: 'example/wordpress-fpm:8.2',
        environment: [
          { name: 'DB_HOST', value: '127.0.0.1' },
          { name: 'DB_USER', value: 'wp' },
          { name: 'DB_PASSWORD', value: 'secret' },
          { name: 'DB_NAME', value: 'wordpress' },
          { name: 'REDIS_HOST', value: '127.0.0.1' },
        ],
        entryPoint: ['sh', '-c'],
        command: ['cp /usr/src/index.php /var/www/html/ && exec php-fpm8.2 -F -y /etc/fpm.conf -c /etc/php.ini'],
        mountPoints: [{ sourceVolume: 'html', containerPath: '/var/www/html' }],
        dependsOn: [
          { containerName: 'mariadb', condition: 'HEALTHY' },
          { containerName: 'redis', condition: 'HEALTHY' },
        ],
      },
      {
        name: 'nginx',
        image: 'nginx:1',
        portMappings: [{ containerPort: 80, protocol: 'tcp' }],
        volumesFrom: [{ sourceContainer: 'php', readOnly: true }],
        dependsOn: [{ containerName: 'php', condition: 'START' }],
      },
    ],
    { volumes: [{ name: 'html' }, { name: 'db', host: {} }] },
  ),
  asks: { port: 80, path: '/', answers: [/hits 1 posts 1/, /hits 2 posts 2/] },
};

/** A queue with a worker that starts when it is HEALTHY; the essential producer prints what came back. */
const queue: Application = {
  definition: application('queue', [
    redis,
    {
      name: 'worker',
      image: 'redis:7',
      essential: false,
      entryPoint: ['sh', '-c'],
      command: ['while job=$(redis-cli --raw BLPOP jobs 0 | tail -n1); do redis-cli RPUSH results "$((job * job))"; done'],
      dependsOn: [{ containerName: 'redis', condition: 'HEALTHY' }],
    },
    {
      name: 'producer',
      image: 'redis:7',
      entryPoint: ['sh', '-c'],
      command: ['for n in 3 4 5; do redis-cli RPUSH jobs $n; done; for n in 1 2 3; do redis-cli --raw BLPOP results 30 | tail -n1; done | paste -sd+ | sed s/^/results:/'], // prettier-ignore
      dependsOn: [{ containerName: 'worker', condition: 'START' }],
    },
  ]),
  prints: { container: 'producer', line: /^results:9\+16\+25$/ },
};

/** A job whose init container must have ended with SUCCESS. */
const migration: Application = {
  definition: application(
    'migration',
    [
      {
        name: 'init',
        image: 'busybox:1',
        essential: false,
        command: ['sh', '-c', 'echo "schema 7" > /data/schema'],
        mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }],
      },
      {
        name: 'job',
        image: 'busybox:1',
        command: ['sh', '-c', 'echo "migrated to $(cat /data/schema)"'],
        mountPoints: [{ sourceVolume: 'data', containerPath: '/data', readOnly: true }],
        dependsOn: [{ containerName: 'init', condition: 'SUCCESS' }],
      },
    ],
    { volumes: [{ name: 'data' }] },
  ),
  prints: { container: 'job', line: /^migrated to schema 7$/ },
};

/** Python behind gunicorn, with PostgreSQL. */
const flask: Application = {
  definition: application('flask', [
    {
      name: 'postgres',
      image: 'postgres:15',
      environment: [
        { name: 'POSTGRES_USER', value: 'app' },
        { name: 'POSTGRES_PASSWORD', value: 'secret' },
      ],
      healthCheck: check('pg_isready -h 127.0.0.1 || exit 1'),
    },
    {
      name: 'web',
      image: 'example/flask:3',
      portMappings: [{ containerPort: 8000, name: 'http', appProtocol: 'http' }],
      environment: [
        { name: 'PGHOST', value: '127.0.0.1' },
        { name: 'PGUSER', value: 'app' },
        { name: 'PGPASSWORD', value: 'secret' },
      ],
      dependsOn: [{ containerName: 'postgres', condition: 'HEALTHY' }],
    },
  ]),
  asks: { port: 8000, path: '/', answers: [/visits 1/, /visits 2/] },
};

/** A proxy in front, which waits until the application behind it is HEALTHY. */
const proxied: Application = {
  definition: application('proxied', [
    {
      name: 'proxy',
      image: 'haproxy:2',
      portMappings: [{ containerPort: 80 }],
      dependsOn: [{ containerName: 'app', condition: 'HEALTHY' }],
      ulimits: [{ name: 'nofile', softLimit: 8192, hardLimit: 8192 }],
    },
    {
      name: 'app',
      image: 'busybox:1',
      command: ['sh', '-c', 'mkdir /w && echo hello from the app > /w/index.html && exec httpd -f -p 8080 -h /w'],
      healthCheck: check('wget -qO- http://127.0.0.1:8080/ || exit 1'),
      linuxParameters: { initProcessEnabled: true },
    },
  ]),
  asks: { port: 80, path: '/', answers: [/hello from the app/] },
};

/** Prometheus reads the node exporter beside it. */
const prometheus: Application = {
  definition: application('prometheus', [
    { name: 'prometheus', image: 'prom/prometheus:v2', portMappings: [{ containerPort: 9090 }] },
    { name: 'node-exporter', image: 'prom/node-exporter:v1', essential: false, portMappings: [{ containerPort: 9100 }] },
  ]),
  asks: { port: 9090, path: '/api/v1/query?query=node_memory_MemTotal_bytes', answers: [/"metric":\{.*"job":"node".*"value":\[/] },
};

/** A cache that an application uses over localhost. */
const memcached: Application = {
  definition: application('memcached', [
    { name: 'memcached', image: 'memcached:1.6', portMappings: [{ containerPort: 11211 }] },
    {
      name: 'app',
      image: 'busybox:1',
      command: ['sh', '-c', 'until printf "set k 0 0 5\\r\\nhello\\r\\nget k\\r\\nquit\\r\\n" | nc 127.0.0.1 11211; do sleep 0.1; done'],
      dependsOn: [{ containerName: 'memcached', condition: 'START' }],
    },
  ]),
  prints: { container: 'app', line: /^hello\r?$/ },
};

/** A daemon beside the application that takes segments by UDP on port 2000, as the X-Ray daemon does. */
const xray: Application = {
  definition: application(
    'xray',
    [
      {
        name: 'xray-daemon',
        image: 'amazon/aws-xray-daemon:3',
        cpu: 32,
        memoryReservation: 64,
        portMappings: [{ containerPort: 2000, protocol: 'udp' }],
        mountPoints: [{ sourceVolume: 'traces', containerPath: '/traces' }],
      },
      {
        name: 'app',
        image: 'alpine/socat:1',
        entryPoint: ['sh', '-c'],
        command: ['until grep -q segment /traces/all 2>/dev/null; do echo \'{"segment":1}\' | socat -u - UDP-SENDTO:127.0.0.1:2000; sleep 0.2; done; head -n1 /traces/all'], // prettier-ignore
        mountPoints: [{ sourceVolume: 'traces', containerPath: '/traces', readOnly: true }],
        dependsOn: [{ containerName: 'xray-daemon', condition: 'START' }],
      },
    ],
    { volumes: [{ name: 'traces' }] },
  ),
  prints: { container: 'app', line: /"segment":1/ },
};

/** Celery behind RabbitMQ: the worker waits for the broker, the essential caller prints what the worker answered. */
const environment = [{ name: 'CELERY_BROKER_URL', value: 'amqp://guest:guest@127.0.0.1:5672//' }];
const celery: Application = {
  definition: application('celery', [
    {
      name: 'rabbitmq',
      image: 'rabbitmq:3',
      portMappings: [{ containerPort: 5672 }],
      environment: [
        { name: 'RABBITMQ_NODENAME', value: 'rabbit@localhost' },
        { name: 'RABBITMQ_LOGS', value: '-' },
        { name: 'HOME', value: '/var/lib/rabbitmq' },
      ],
      ulimits: [{ name: 'nofile', softLimit: 65536, hardLimit: 65536 }],
      healthCheck: {
        command: ['CMD', 'rabbitmq-diagnostics', '-q', 'check_port_connectivity'],
        interval: 10,
        timeout: 10,
        retries: 10,
        startPeriod: 120,
      },
    },
    {
      name: 'worker',
      image: 'example/celery:5',
      command: ['python3', '-m', 'celery', '-A', 'tasks', 'worker', '--concurrency=1', '--loglevel=INFO'],
      environment,
      dependsOn: [{ containerName: 'rabbitmq', condition: 'HEALTHY' }],
    },
    {
      name: 'caller',
      image: 'example/celery:5',
      command: ['python3', '-c', 'from tasks import add; print("result", add.delay(19, 23).get(timeout=90))'],
      environment,
      dependsOn: [{ containerName: 'worker', condition: 'START' }],
    },
  ]),
  prints: { container: 'caller', line: /^result 42$/ },
};

/** Django's usual three: a container that migrates and must succeed, gunicorn, and nginx before it. */
const djangoEnvironment = [
  { name: 'DB_HOST', value: '127.0.0.1' },
  { name: 'DB_USER', value: 'app' },
  { name: 'DB_PASSWORD', value: 'secret' },
  { name: 'SECRET_KEY', value: 'not-a-secret' },
];
const django: Application = {
  definition: application('django', [
    {
      name: 'postgres',
      image: 'postgres:15',
      environment: [
        { name: 'POSTGRES_USER', value: 'app' },
        { name: 'POSTGRES_PASSWORD', value: 'secret' },
      ],
      healthCheck: check('pg_isready -h 127.0.0.1 || exit 1'),
    },
    {
      name: 'migrate',
      image: 'example/django:3',
      essential: false,
      command: ['python3', 'shop.py', 'migrate', '--noinput'],
      environment: djangoEnvironment,
      dependsOn: [{ containerName: 'postgres', condition: 'HEALTHY' }],
    },
    {
      name: 'web',
      image: 'example/django:3',
      environment: djangoEnvironment,
      dependsOn: [{ containerName: 'migrate', condition: 'SUCCESS' }],
      healthCheck: check('wget -qO- http://127.0.0.1:8000/ || exit 1'),
    },
    {
      name: 'nginx',
      image: 'example/django-nginx:1',
      portMappings: [{ containerPort: 80, protocol: 'tcp' }],
      dependsOn: [{ containerName: 'web', condition: 'HEALTHY' }],
    },
  ]),
  asks: { port: 80, path: '/', answers: [/^users \d+$/] },
};

/** A broker for sensors: one container publishes, the essential one has subscribed. */
const mqtt: Application = {
  definition: application('mqtt', [
    {
      name: 'broker',
      image: 'eclipse-mosquitto:2',
      portMappings: [{ containerPort: 1883 }],
      healthCheck: check("mosquitto_sub -t '$SYS/broker/version' -C 1 -W 2"),
    },
    {
      name: 'sensor',
      image: 'eclipse-mosquitto:2',
      essential: false,
      command: ['sh', '-c', 'while :; do mosquitto_pub -h 127.0.0.1 -t home/kitchen/temperature -m 21; sleep 0.2; done'],
      linuxParameters: { initProcessEnabled: true },
      dependsOn: [{ containerName: 'broker', condition: 'HEALTHY' }],
    },
    {
      name: 'subscriber',
      image: 'eclipse-mosquitto:2',
      command: ['mosquitto_sub', '-h', '127.0.0.1', '-t', 'home/+/temperature', '-v', '-C', '3', '-W', '60'],
      dependsOn: [{ containerName: 'broker', condition: 'HEALTHY' }],
    },
  ]),
  prints: { container: 'subscriber', line: /^home\/kitchen\/temperature 21$/ },
};

/** Monitoring whose configuration an init container writes: a job pushes to the gateway, Prometheus scrapes it and alerts the Alertmanager. */
const alertingConfig = `mkdir -p /config && cat > /config/prometheus.yml <<'YAML' && cat > /config/rules.yml <<'YAML'
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [/config/rules.yml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['localhost:9093'] }] }] }
scrape_configs: [{ job_name: push, honor_labels: true, static_configs: [{ targets: ['localhost:9091'] }] }]
YAML
groups: [{ name: jobs, rules: [{ alert: JobFailed, expr: job_failed == 1 }] }]
YAML`;
const config = { sourceVolume: 'config', containerPath: '/config' };
const alerting: Application = {
  definition: application(
    'alerting',
    [
      { name: 'config', image: 'busybox:1', essential: false, command: ['sh', '-c', alertingConfig], mountPoints: [config] },
      {
        name: 'prometheus',
        image: 'prom/prometheus:v2',
        entryPoint: ['prometheus'],
        command: ['--config.file=/config/prometheus.yml', '--storage.tsdb.path=/prometheus'],
        portMappings: [{ containerPort: 9090 }],
        mountPoints: [{ ...config, readOnly: true }],
        dependsOn: [
          { containerName: 'config', condition: 'SUCCESS' },
          { containerName: 'alertmanager', condition: 'START' },
        ],
      },
      { name: 'alertmanager', image: 'prom/alertmanager:v0', portMappings: [{ containerPort: 9093 }] },
      { name: 'pushgateway', image: 'prom/pushgateway:v1', portMappings: [{ containerPort: 9091 }] },
      {
        name: 'job',
        image: 'busybox:1',
        essential: false,
        command: ['sh', '-c', "until printf 'job_failed 1\\n' | wget -qO- --post-file=- http://127.0.0.1:9091/metrics/job/batch; do sleep 0.2; done"], // prettier-ignore
        dependsOn: [{ containerName: 'pushgateway', condition: 'START' }],
      },
    ],
    { volumes: [{ name: 'config' }] },
  ),
  asks: { port: 9093, path: '/api/v2/alerts', answers: [/"alertname":"JobFailed"/] },
};

export const applications = { wordpress, queue, migration, flask, proxied, prometheus, memcached, xray, celery, django, mqtt, alerting };
