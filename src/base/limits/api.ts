/** What the API, its sessions and its identities are held to. Units are in the names. */
export const apiLimits = {
  /** Largest HTTP request body the gateway reads whole; uploads stream and are bounded by `importBytes`. */
  requestBodyBytes: 4 * 1024 * 1024,
  /** How long the rest of a large request is thrown away that was answered early. */
  requestLingerMs: 5000,
  /** Largest image archive that may be imported. */
  importBytes: 64 * 1024 ** 3,
  /** Largest frame on the link and on a supervisor's socket. */
  frameBytes: 1024 * 1024,
  /** How old or how far ahead a request's signature may be (AWS: 5 minutes). */
  clockSkewMs: 5 * 60_000,
  /** The same of a request for S3 (AWS: 15 minutes). */
  objectClockSkewMs: 15 * 60_000,
  /** Unacknowledged output kept on disk for one task; past it new output is dropped, counted and said. */
  spoolBytes: 64 * 1024 * 1024,
  /** The same for one container whose definition says how much (max-buffer-size). */
  logBufferBytes: 1024 * 1024 * 1024,
  /** Alarms in a region, and what of an alarm's history is kept. */
  alarmsPerRegion: 5000,
  alarmHistoryItems: 50,
  /** Composite alarms that one alarm may be a child of. */
  compositesPerAlarm: 150,
  /** How old a sample may be, and how far ahead (CloudWatch: two weeks, two hours). */
  metricPastMs: 14 * 24 * 3600_000,
  metricFutureMs: 2 * 3600_000,
  /** A client token's life (AWS: 24 hours). */
  clientTokenKeepMs: 24 * 3600_000,
  /** Tasks in one RunTask call. */
  runTaskCount: 10,
  /** EBS's quotas, as far as rows are read whole. */
  volumesPerRegion: 5000,
  snapshotsPerRegion: 10_000,
  /** Containers of one task (ECS: 10). */
  containersPerTask: 10,
  /** Commands that are run inside the containers of one task (exec) at the same time (ECS: 1,000 a container), and words or variables of one. */
  execsPerTask: 1000,
  execArguments: 4096,
  /**
   * ExecuteCommand: sessions of the whole platform, how long a token may wait for its caller and a session for its handshake, and after which silence a session
   * ends (ECS: 20 minutes). A caller that doesn't answer for so long is gone.
   */
  execSessions: 4096,
  execTokenMs: 60_000,
  execHandshakeMs: 15_000,
  execIdleMs: 20 * 60_000,
  execPingMs: 30_000,
  /**
   * One message of a session; input that waits for the command, and how much of it may while output waits for the caller's acknowledgements, which come by the
   * same way; messages out of turn, and output that the caller hasn't acknowledged.
   */
  execMessageBytes: 256 * 1024,
  execInputBytes: 256 * 1024,
  execHeldInputBytes: 16 * 1024 * 1024,
  execEarlyMessages: 1000,
  execUnackedMessages: 32,
  execOutputBytes: 16 * 1024,
  /**
   * After which time the oldest message is sent again, after which one without any answer its caller counts as gone (AWS's agent: five minutes, in which a
   * terminal may stand still that is stopped by Ctrl-S, or that shows much), and how long the last ones of a session are waited for.
   */
  execResendMs: 300,
  execLostMs: 5 * 60_000,
  execDrainMs: 10_000,
  /** What of a session waits to be recorded at most; what one event holds; how often it is written. */
  execRecordBytes: 1024 * 1024,
  execRecordEventBytes: 64 * 1024,
  execRecordMs: 1000,
  /** How long a command that is run inside may take to start. */
  execStartMs: 15_000,
  /** Last lines kept of each container for `task-tail`: how many, how long, and of how many ended tasks. */
  tailLines: 20,
  tailLineChars: 2048,
  /**
   * Of a container whose output goes to no log group more is kept, for `berth logs`: how many bytes of it, how long a line, and how many bytes of all such containers
   * of a host, past which each keeps the few lines alone.
   */
  tailBytes: 256 * 1024,
  tailLongLineChars: 16 * 1024,
  tailAllBytes: 32 * 1024 * 1024,
  /** Lines in one answer of TailTask. */
  tailAnswerLines: 10_000,
  tailEndedTasks: 256,
  /** A reason shown to users (ECS: 1,024 characters). */
  reasonChars: 1024,
  /** How long the shapes of an SDK package may take to load. */
  schemaLoadMs: 60_000,
  /** How long a client may take to send a request's body. */
  requestBodyMs: 60_000,
  /** How long a client may take to send a request's headers, and how many bytes they may have. */
  requestHeadersMs: 20_000,
  requestHeaderBytes: 64 * 1024,
  /** How long an idle connection is kept for the client's next call. */
  keepAliveMs: 60_000,
  /** How long open calls may take to end when the gateway closes. */
  gatewayCloseMs: 5000,
  gatewayConnections: 4000,
  /** Parameters of one Query request, and parts of one parameter's name. */
  queryParameters: 10_000,
  queryKeyParts: 32,
  /** Longest life of a presigned URL (AWS: 7 days). */
  presignedMs: 7 * 24 * 3600_000,
  /** One line of an aws-chunked body, and all that follows its last chunk. */
  chunkLineBytes: 4096,
  chunkTrailerBytes: 64 * 1024,
  /** How long a body that streams may bring nothing. */
  bodyIdleMs: 60_000,
  /** S3's quotas: buckets; rules of a bucket's lifecycle; uploads that aren't complete, of one bucket (AWS has none); parts; sizes of a part, of what one PutObject brings, of a whole object. */
  buckets: 10_000,
  lifecycleRules: 1000,
  uploadsPerBucket: 10_000,
  partNumbers: 10_000,
  partMinBytes: 5 * 1024 ** 2,
  partMaxBytes: 5 * 1024 ** 3,
  objectPutBytes: 5 * 1024 ** 3,
  /** A key, an object's own metadata, its tags and a bucket's; names of one DeleteObjects; a page of a list. */
  objectKeyBytes: 1024,
  objectMetadataBytes: 2048,
  objectTags: 10,
  bucketTags: 50,
  deleteObjects: 1000,
  objectsPage: 1000,
  /** What stays free on the disk that objects are on: below it none is taken. How often an upload looks, and what is read at once. */
  objectFreeBytes: 256 * 1024 ** 2,
  objectRoomCheckBytes: 32 * 1024 ** 2,
  objectReadBytes: 256 * 1024,
  /** Derived signing keys kept for the next request. */
  signingKeys: 1000,
  /** Tags of one resource (ECS: 50). */
  tagsPerResource: 50,
  /** Tasks of one service, target groups that they go to, and task sets of one service (ECS: 5,000, 5, 5). */
  serviceTasks: 5000,
  serviceTargetGroups: 5,
  serviceTaskSets: 5,
  /** Events of a service that DescribeServices tells, services that it may name, and those on a page of ListServices (ECS: 100, 10, 100). */
  serviceEventsShown: 100,
  describeServices: 10,
  /** Service deployments or revisions that one call may name (ECS: 20), and tasks whose protection one call may ask for or set (10). */
  describeServiceParts: 20,
  protectTasks: 10,
  /** Longest protection of a task, in minutes (ECS: 2,880), and what a lifecycle hook may wait (14 days). */
  protectionMinutes: 2880,
  hookMinutes: 14 * 24 * 60,
  /** Elastic Load Balancing's quotas: of a region; of a load balancer; of a listener; of an action, a rule and a group. */
  loadBalancersPerRegion: 50,
  targetGroupsPerRegion: 3000,
  listenersPerLoadBalancer: 50,
  rulesPerListener: 100,
  certificatesPerListener: 25,
  targetGroupsPerLoadBalancer: 100,
  targetGroupsPerAction: 5,
  ruleConditionValues: 5,
  ruleWildcards: 5,
  targetsPerGroup: 1000,
  /** What waits for an answer of a target that is gone is cut off after so long. */
  targetGoneSeconds: 2,
  securityGroupsPerLoadBalancer: 5,
  /** Items of one page of an Elastic Load Balancing list (AWS: 400), and resources that one call may tag or describe tags of (20). */
  elbPage: 400,
  elbTagResources: 20,
  /** Subnets and security groups of one task (ECS: 16 and 5). */
  subnetsPerTask: 16,
  securityGroupsPerTask: 5,
  /**
   * EC2's quotas that can be raised: AWS begins with 5 VPCs, 200 subnets, 2,500 groups, 60 rules each way, 200 tables, 50 routes. A machine
   * keeps a router for each VPC in use.
   */
  vpcsPerRegion: 100,
  subnetsPerVpc: 200,
  securityGroupsPerRegion: 2500,
  rulesPerSecurityGroup: 60,
  routeTablesPerVpc: 200,
  routesPerTable: 50,
  internetGatewaysPerRegion: 100,
  /** EFS's quotas; a page of its lists. */
  fileSystemsPerRegion: 1000,
  accessPointsPerFileSystem: 10_000,
  securityGroupsPerMountTarget: 5,
  efsPage: 100,
  /** Free ranges that are named where one is refused; resources of one CreateTags (EC2: 1000). */
  freeRangesShown: 5,
  tagResources: 1000,
  /** Characters of a RunTask call's overrides as JSON (ECS: 8,192). */
  overridesChars: 8192,
  /** Environment files of one container, and exit codes that a restart policy may ignore (ECS: 10 and 50). */
  environmentFiles: 10,
  /** One environment file, and all variables that a container gets by them; how long an S3 endpoint of the user's may say nothing. */
  environmentFileBytes: 256 * 1024,
  remoteObjectMs: 8000,
  ignoredExitCodes: 50,
  /** Longest start or stop time-out of a container that the extension `timeouts` allows: a day. */
  containerTimeoutSeconds: 86_400,
  /** A task definition as JSON (ECS: 64 KiB). */
  taskDefinitionBytes: 64 * 1024,
  /** Items that one Describe call may name (ECS: 100), and task definitions that one call may delete (10). */
  describeItems: 100,
  deleteTaskDefinitions: 10,
  /** Items of one page of a list (ECS: 100). */
  listPage: 100,
  /** CloudWatch Logs' quotas: events and bytes in one PutLogEvents (26 bytes are added to each event) and in one page of answers. */
  logPutEvents: 10_000,
  logPutBytes: 1_048_576,
  logEventOverheadBytes: 26,
  logPageEvents: 10_000,
  logPageBytes: 1_048_576,
  /** How long a host may take to list or remove images, and for any other short call. */
  imageCallMs: 120_000,
  hostCallMs: 10_000,
  /** How long one pull or import may take. */
  imageTransferMs: 2 * 3600_000,
  /** Certificates: life of berth's own authority and of what it issues; how long a wish for one is tried before it counts as failed (AWS: 72 h). */
  authorityDays: 3650,
  leafDays: 90,
  certificateWishMs: 72 * 3600_000,
  /** Names of one certificate (ACM's most), and bytes of an imported one's parts (ACM: 32 KiB, 2 MiB of chain, 5 KiB of key). */
  certificateNames: 100,
  certificateBytes: 32_768,
  certificateChainBytes: 2_097_152,
  certificateKeyBytes: 5120,
  certificateChainLength: 16,
  certificatesPerRegion: 2500,
  /** How long the same idempotency token of RequestCertificate stands for the same certificate (ACM: one hour). */
  certificateTokenMs: 3600_000,
  /** How often certificates are looked at without any change; how old a key file is that no record needs before it goes. */
  certificateLookMs: 10 * 60_000,
  certificateKeyGraceMs: 3600_000,
  /** One order at an ACME server; how many are under way at once; the wait after a failed one: first and longest. */
  acmeOrderMs: 5 * 60_000,
  acmeOrders: 4,
  acmeRetryMinMs: 60_000,
  acmeRetryMaxMs: 3600_000,
  /** How long a task may take to tell what it uses, in TaskUsage. */
  taskUsageMs: 3_000,
  /** Secrets Manager: secrets in a region, bytes of a value, versions kept, days that a deletion waits, characters of a resource policy, items of a page. */
  secretsPerRegion: 10_000,
  secretBytes: 65_536,
  secretVersions: 100,
  secretRecoveryDays: { least: 7, most: 30 },
  secretPolicyChars: 20_480,
  secretsPage: 100,
  /** Parameter Store: parameters in a region, bytes of a value by tier, versions and labels of one, items of a page, names of one call. */
  parametersPerRegion: 10_000,
  parameterBytes: { Standard: 4096, Advanced: 8192 },
  parameterVersions: 100,
  parameterLabels: 10,
  parametersPage: 50,
  parametersByPathPage: 10,
  parameterNames: 10,
  /** The longest life of temporary credentials (GetSessionToken: 36 hours), and values that are wrapped anew in one transaction. */
  sessionTokenMaxMs: 36 * 3600_000,
  rewrapBatch: 100,
  /** EventBridge (quotas): rules of a bus, targets of a rule, buses, connections and API destinations; entries of PutEvents; items of a page. */
  eventRulesPerBus: 300,
  eventTargetsPerRule: 5,
  eventBusesPerRegion: 100,
  eventConnectionsPerRegion: 3000,
  eventEntries: 10,
  eventPage: 100,
  /** One event (EventBridge: 256 KiB). */
  eventBytes: 256 * 1024,
  /** EventBridge Scheduler; quotas there are larger, and each of these is looked at every minute. */
  schedulesPerRegion: 10_000,
  scheduleGroupsPerRegion: 500,
  /** Events in one answer of berth's own ListEvents. */
  eventsListed: 500,
  /** What the events of one answer of ListEvents may have together, one event always has room. */
  eventsListedBytes: 8 * 1024 * 1024,
} as const;
