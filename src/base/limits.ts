/** Every named bound of berth, in one place. Units are in the names. */
export const limits = {
  /** Largest HTTP request body the gateway reads whole; uploads stream and are bounded by `importBytes`. */
  requestBodyBytes: 4 * 1024 * 1024,
  /** Largest answer that the command line reads whole. */
  answerBytes: 64 * 1024 * 1024,
  /** Largest image archive that may be imported. */
  importBytes: 64 * 1024 ** 3,
  /** Largest frame on the link and on a supervisor's socket. */
  frameBytes: 1024 * 1024,
  /** Bytes that a link stream may have under way before the reader has to grant more. */
  streamWindowBytes: 1024 * 1024,
  /** Frames waiting to be written to one peer; past it the connection is dropped and made anew. */
  sendQueueFrames: 65_536,
  /** How old or how far ahead a request's signature may be (AWS: 5 minutes). */
  clockSkewMs: 5 * 60_000,
  /** Unacknowledged output kept on disk for one task; past it new output is dropped, counted and said. */
  spoolBytes: 64 * 1024 * 1024,
  /** The same for one container whose definition says how much (max-buffer-size). */
  logBufferBytes: 1024 * 1024 * 1024,
  /** One log event (CloudWatch Logs: 1 MiB since 2025, 256 KiB before). */
  logEventBytes: 256 * 1024,
  /** Series of metrics that one control plane keeps. */
  metricSeries: 200_000,
  /** What of the metrics only the redo log has, before it is written to its place; and how often that is looked at. */
  metricRedoBytes: 16 * 1024 * 1024,
  metricTidyMs: 10 * 60_000,
  /** Alarms in a region, and what of an alarm's history is kept. */
  alarmsPerRegion: 5000,
  alarmHistoryItems: 50,
  /** How old a sample may be, and how far ahead (CloudWatch: two weeks, two hours). */
  metricPastMs: 14 * 24 * 3600_000,
  metricFutureMs: 2 * 3600_000,
  /** How long a stopped task stays describable (AWS: at least 1 hour). */
  stoppedTaskKeepMs: 24 * 3600_000,
  /** A client token's life (AWS: 24 hours). */
  clientTokenKeepMs: 24 * 3600_000,
  /** Processes and threads in one task. */
  taskPids: 4096,
  /** Memory that a task in gVisor may take beyond its own limit for gVisor's processes: its kernel, and what serves a container's files. */
  gvisorOverheadBytes: 48 * 1024 * 1024,
  gvisorContainerOverheadBytes: 16 * 1024 * 1024,
  /** gVisor sandboxes that stand ready for tasks to come, and what each may take until a task has it. */
  gvisorPoolSandboxes: 2,
  gvisorPoolSandboxBytes: 128 * 1024 * 1024,
  /** How long a sandbox may take to be ready for the pool, and how long a pool waits after a start before it fills up again. */
  gvisorPoolStartMs: 30_000,
  gvisorPoolQuietMs: 1000,
  /** How long the sandbox that was started to see whether gVisor works waits for a first task. */
  gvisorPoolProofMs: 60_000,
  /** Layers of one image that are fetched at the same time. */
  layersInFlight: 4,
  layersPerImage: 127,
  /** Directories of one task's volumes, those that its images declare among them. */
  volumeDirectories: 512,
  manifestBytes: 4 * 1024 * 1024,
  /** What one layer may unpack to: bombs are refused. */
  layerUnpackedBytes: 64 * 1024 ** 3,
  layerEntries: 2_000_000,
  /** What an image's disk for microVMs may have, and how long its making may take. */
  imageDiskBytes: 128 * 1024 ** 3,
  imageDiskMs: 1800_000,
  /** Tasks in one RunTask call. */
  runTaskCount: 10,
  /** Tasks that one host works on at the same time; more wait in line. */
  startsInFlight: 16,
  /** How long a host may try a kind of sandbox when it starts; `up` waits for it. */
  sandboxProbeMs: 40_000,
  /** EBS's quotas, as far as rows are read whole. */
  volumesPerRegion: 5000,
  snapshotsPerRegion: 10_000,
  /** How long a host may take to make, grow or remove a volume's file, and to take a snapshot, which may mean copying it. */
  volumeCallMs: 120_000,
  snapshotCallMs: 3600_000,
  /** How long a host may take to have load balancers' addresses. */
  vpcAddressesMs: 15_000,
  /** Targets whose health is written in one transaction. */
  targetWrites: 200,
  /** Load balancers' addresses in one VPC. */
  vpcAddresses: 1000,
  /** How long HAProxy may take for one batch of runtime commands, and how much it may answer. */
  haproxyCommandMs: 2000,
  haproxyAnswerBytes: 8 * 1024 * 1024,
  /** Runtime commands in one batch (HAProxy reads at most 16 KiB of them). */
  haproxyBatchCommands: 60,
  /** How long a fresh HAProxy worker may take until it answers after a reload. */
  haproxyReloadMs: 5000,
  /**
   * Access logs. One line, and of what the client sent in it: URL, host, user agent, and where a redirect leads; what HAProxy keeps of lines while the control
   * plane is away, and what the control plane keeps until they are stored, every so often.
   */
  accessLineBytes: 8192,
  accessUriBytes: 4096,
  accessHostBytes: 256,
  accessAgentBytes: 512,
  accessLocationBytes: 1024,
  accessRingBytes: 4 * 1024 * 1024,
  accessQueueBytes: 32 * 1024 * 1024,
  accessFlushMs: 1000,
  /** How often it is said at most that lines were dropped. */
  accessComplaintMs: 60_000,
  /** Minutes that percentiles of latencies are about. */
  latencyMinutes: 5,
  /** Files that HAProxy has open at once: two for each connection. */
  balancerFiles: 50_000,
  /** Containers of one task (ECS: 10). */
  containersPerTask: 10,
  /** One piece of text (a failure, a name) that a supervisor or the kernel worker may send. */
  supervisorTextBytes: 16 * 1024,
  /** What a virtual machine is given: arguments of QEMU, and files or sockets; and what is kept of the end of its console. */
  vmArguments: 1024,
  vmFiles: 64,
  vmConsoleBytes: 16 * 1024,
  /**
   * What a supervisor may say beside output, in bytes a second and at once: more of it waits in its socket. A state costs the host more
   * than its bytes, and is counted for more.
   */
  supervisorBytesPerSecond: 4 * 1024 * 1024,
  supervisorBurstBytes: 16 * 1024 * 1024,
  supervisorStateBytes: 2048,
  /** Complaints of one supervisor that are told; what follows is not worth a log's disk. */
  supervisorErrors: 100,
  /** How long a task's last output may hold up its end altogether, while there is a link. */
  outputDrainMs: 10 * 60_000,
  /** Calls to the kernel worker under way at the same time. */
  workerCallsInFlight: 4096,
  /** How often a call is made anew because the worker died over it. */
  workerTries: 3,
  /** Output of one task that the host holds in memory, unacknowledged; past it the supervisor's socket is not read. */
  outputWindowBytes: 2 * 1024 * 1024,
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
  /** One message of a session, input that waits for the command, messages out of turn, and output that the caller hasn't acknowledged. */
  execMessageBytes: 256 * 1024,
  execInputBytes: 256 * 1024,
  execEarlyMessages: 1000,
  execUnackedMessages: 32,
  execOutputBytes: 16 * 1024,
  /** After which time a message is sent again, how often at most, and how long the last ones of a session are waited for. */
  execResendMs: 300,
  execResends: 100,
  execDrainMs: 10_000,
  /** What of a session waits to be recorded at most; what one event holds; how often it is written. */
  execRecordBytes: 1024 * 1024,
  execRecordEventBytes: 64 * 1024,
  execRecordMs: 1000,
  /** How long a command that is run inside may take to start. */
  execStartMs: 15_000,
  /** One batch of output on the link: text, and events. */
  outputBatchBytes: 768 * 1024,
  outputBatchEvents: 8192,
  /** Last lines kept of each container for `task-tail`: how many, how long, and of how many ended tasks. */
  tailLines: 20,
  tailLineChars: 2048,
  tailEndedTasks: 256,
  /** Forgotten tasks that a host remembers, so that a late message doesn't start them again. */
  tombstones: 2_000,
  /** A reason shown to users (ECS: 1,024 characters). */
  reasonChars: 1024,
  /** What an outside program that is run to its end may write. */
  childOutputBytes: 8 * 1024 * 1024,
  /** Connecting to a registry; then waiting for its answer; then between two pieces of a body. */
  registryConnectMs: 5000,
  registryAnswerMs: 10_000,
  registryIdleMs: 15_000,
  /** From a reference to its manifest, all retries counted: a person waits for it. */
  registryResolveMs: 15_000,
  registryRetries: 7,
  /** Tries of one blob that brought no byte, and tries altogether. */
  blobIdleTries: 6,
  blobTries: 100,
  registryRedirects: 5,
  /** A token or an error answer of a registry. */
  registryAnswerBytes: 1024 * 1024,
  registryTokensKept: 1000,
  credentialHelperMs: 10_000,
  /** Normalised references kept in memory. */
  referencesKept: 4096,
  /** Files in an image archive, its images, and indexes inside of indexes. */
  archiveEntries: 20_000,
  archiveImages: 1000,
  indexDepth: 3,
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
  /** Derived signing keys kept for the next request. */
  signingKeys: 1000,
  /** Calls that wait for an answer on one link, in each direction, and streams that are open on it. */
  linkCalls: 1024,
  linkStreams: 4096,
  /** Largest piece of a stream in one frame: control messages slip in between. */
  streamFrameBytes: 64 * 1024,
  /** How long a closed link may go on writing what was said before. */
  linkLingerMs: 1000,
  /** A host's first and longest wait before it dials again. */
  linkRetryMinMs: 50,
  linkRetryMaxMs: 2000,
  /** How long hello and welcome may take. */
  linkHandshakeMs: 5000,
  /** How often a host says that it is there, and the silence after which it counts as gone. */
  heartbeatMs: 5000,
  hostSilenceMs: 20_000,
  /**
   * The silence after which a host's tasks count as ended, where another host is connected that could run them: longer than a machine takes to boot
   * (one that was restarted says itself what it lost), and as long as Kubernetes leaves pods on a node that it can't reach.
   */
  hostLostMs: 300_000,
  /** How often a host is told the whole of what it should run, without any change. */
  syncMs: 15_000,
  /** How long an accepted task may wait for room on a host before it ends with AWS's capacity reason. */
  placementPatienceMs: 60_000,
  /** Tasks that are placed in one commit, and stopped tasks or tokens that are forgotten in one. */
  placementBatch: 200,
  expiryBatch: 200,
  /** A loop's lease: how long it outlives its holder. */
  leaseMs: 15_000,
  /** How long a loop waits after a failure: first and longest. */
  loopRetryMinMs: 50,
  loopRetryMaxMs: 5000,
  /** Batches of output that one host may have under way; further ones are dropped here and sent again by the host. */
  outputBatches: 256,
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
  /** Items of a capacity provider strategy (ECS: 20). */
  strategyItems: 20,
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
  /**
   * What a target has under way when it is deregistered may take so long, also with a deregistration delay of 0; and how long past the delay the balancer may
   * be silent before the target's task is stopped all the same.
   */
  targetDrainMinMs: 1000,
  /** How long requests may go on while the platform goes down, whatever the target group's delay. */
  downDrainMs: 5000,
  targetDrainUnheardMs: 10_000,
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
  /** Log events that wait to be written; past them a writer is told to come back. */
  logQueueBytes: 64 * 1024 * 1024,
  /** What one group commit of the logs takes along. */
  logCommitBytes: 8 * 1024 * 1024,
  /** A stream's segment is closed when it reaches this size. */
  logSegmentBytes: 4 * 1024 * 1024,
  /** Times of the segment that is written to are known for parts of it, about so large. */
  logPartBytes: 256 * 1024,
  /** What is written at once to one segment from this size on is synced there, and not written to the redo log before. */
  logDirectBytes: 256 * 1024,
  /** The redo log is emptied when it reaches this size. */
  logRedoBytes: 16 * 1024 * 1024,
  /** Streams whose state is held in memory. */
  logOpenStreams: 1000,
  /** Sources whose offsets one stream remembers. */
  logSourcesPerStream: 200,
  /** CloudWatch Logs' quotas: events and bytes in one PutLogEvents (26 bytes are added to each event) and in one page of answers. */
  logPutEvents: 10_000,
  logPutBytes: 1_048_576,
  logEventOverheadBytes: 26,
  logPageEvents: 10_000,
  logPageBytes: 1_048_576,
  /** The longest filter pattern, and how deep its parentheses may nest. */
  logPatternChars: 1024,
  logPatternDepth: 50,
  /** How long a host may take to list or remove images, and for any other short call. */
  imageCallMs: 120_000,
  hostCallMs: 10_000,
  /** How long one pull or import may take. */
  imageTransferMs: 2 * 3600_000,
  /** Connections of all tasks to the API at the same time, counted at both ends. */
  forwardSockets: 8192,
  /** Connections of one task to the API at the same time. */
  forwardConnectionsPerTask: 256,
  /** Questions that one host's resolver has under way at its upstreams, in all and for one task; past it the answer is SERVFAIL. */
  dnsQueries: 1024,
  dnsQueriesPerTask: 128,
  /** TCP connections to one host's resolver; past it the oldest idle one makes room. */
  dnsConnections: 256,
  /** Lines of berth's own in the machine's hosts file, and how often it is looked at. */
  hostsFileNames: 2000,
  hostsFileLookMs: 15_000,
  /** Addresses in one DNS answer: it must fit 512 bytes (RFC 1035, section 4.2.1). */
  dnsAnswers: 8,
  /** How often log events past their retention are looked for. */
  logSweepMs: 3600_000,
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
  /** What a microVM's RAM has beyond its task's memory, besides a sixty-fourth of that: the guest's kernel, supervisor and page cache. */
  vmOverheadBytes: 64 * 1024 ** 2,
  /** How often shared file systems are measured, and how long one may take. */
  fileSystemSizeEveryMs: 60_000,
  fileSystemSizeMs: 10 * 60_000,
  /** Volumes that one task's file server has, groups of a POSIX user (AUTH_SYS has as many), and the memory of a server with its page cache. */
  servedVolumes: 64,
  posixGroups: 16,
  fileServerBytes: 256 * 1024 ** 2,
  fileServerPids: 64,
  /** How long after its end a file server's keeper is started again, when that failed. */
  fileServerRetryMs: 1_000,
  /** What QEMU itself may take beside the guest's RAM, and its threads. */
  qemuOverheadBytes: 96 * 1024 ** 2,
  qemuPids: 64,
  /** Translated code that QEMU keeps under software emulation. */
  tcgCacheBytes: 32 * 1024 ** 2,
  /** One command of QEMU's monitor, saving or loading a machine's state, and one line of what QEMU says. */
  qmpCommandMs: 10_000,
  qmpMigrationMs: 120_000,
  /** How often a machine that is giving up a migration is told to go on, 20 ms apart. */
  qmpGoOnTries: 250,
  qmpLineBytes: 1024 * 1024,
  /** How long a guest may take to boot, emulated on a busy machine too; to answer; and how often, and how silent it may be before it counts as hung. */
  tcgBootMs: 20_000,
  kvmBootMs: 4_000,
  guestAnswerMs: 20_000,
  guestLookMs: 15_000,
  guestSilenceMs: 60_000,
  /** What a guest may send before it answers a mark, and before anybody asked for it. */
  guestSkipBytes: 8 * 1024 * 1024,
  guestEarlyFrames: 64,
  guestEntropyBytes: 64,
  /** How long a machine's end may take to be written down. */
  vmExitMs: 1000,
  /** Boots until a template counts as impossible; restores until a task fails. */
  templateTries: 4,
  restoreTries: 3,
  /** Memory of all templates of a host; the least recently used goes first. */
  templateMemoryBytes: 1024 ** 3,
  /** Free disk without which no template is made, and none of its machines restored: what either writes before a task writes anything. */
  templateDiskBytes: 256 * 1024 ** 2,
  machineDiskBytes: 4 * 1024 ** 2,
  /** Machines that stand ready: for one shape, and in all; how long a shape stays wanted. */
  poolPerShape: 2,
  poolMachines: 4,
  poolKeepMs: 30 * 60_000,
  /** How long after a start the pool is filled again; after a failure; and how often it is looked at otherwise. */
  poolRefillMs: 500,
  poolRetryMs: 30_000,
  poolLookMs: 60_000,
  /** How long a service's task without any check has to run until it counts as healthy (ECS DeploymentConfiguration: 40 s). */
  serviceProvenMs: 40_000,
  /** The first wait after a service's task failed to start; doubled each time, up to the second (AWS: 15 minutes). */
  serviceStartDelayMs: 500,
  serviceStartDelayMaxMs: 15 * 60_000,
  /** A task that ended so soon after it ran crashed at once; the longest wait before it is replaced. */
  serviceCrashMs: 10_000,
  serviceCrashDelayMaxMs: 10_000,
  /** Failures in a row until a service's events say so. */
  serviceFailuresSaid: 4,
  /** Failures in a row until a rollback counts as failed. */
  serviceRollbackFailures: 8,
  /** First tasks of a revision that may fail until its others start without digests. */
  serviceDigestTries: 3,
  /** BOUNDED_PERCENT of the deployment circuit breaker (ECS ThresholdConfiguration). */
  breakerThresholdMin: 3,
  breakerThresholdMax: 200,
  /** The same event of a service is not said again for so long. */
  serviceEventRepeatMs: 6 * 3600_000,
  /** How long a service is steady until a task moves to another zone. */
  serviceRebalanceMs: 60_000,
  /** Tasks named by one event of a service. */
  serviceEventTasks: 20,
  /** Events kept of a service (ECS: 100). */
  serviceEvents: 100,
  /** Services that are planned side by side; how often one may be planned in a row before it must wait, and how long it waits then. */
  servicePlansInFlight: 32,
  servicePlansInARow: 20,
  serviceRestMs: 1000,
  /** How long a service waits after no host or subnet had room for a task. */
  serviceRoomRetryMs: 2000,
  /** How often a service is planned anew although nothing of it changed. */
  serviceReplanMs: 5 * 60_000,
  /** The last log lines of a failed task in an event: how long the host may take to tell, how many lines, of how many characters. */
  lastLinesMs: 700,
  lastLines: 5,
  lastLineChars: 160,
  /** How often services are looked over for what is past its time. */
  serviceSweepMs: 10 * 60_000,
  /** How long an INACTIVE service stays describable, and how many ended deployments stay for how long (ECS: 90 days). */
  inactiveServiceKeepMs: 24 * 3600_000,
  endedDeployments: 100,
  endedDeploymentKeepMs: 90 * 24 * 3600_000,
  /** The task's own endpoints: requests a second of one task, and how many at once (ECS agent: 40 and 60). */
  metadataRate: 40,
  metadataBurst: 60,
  /** Its requests: their body, their headers, how long one may take to come, and connections of one task. */
  metadataBodyBytes: 16 * 1024,
  metadataHeaderBytes: 8 * 1024,
  metadataRequestMs: 5_000,
  metadataConnections: 64,
  /** What a task uses is asked of its sandbox at most so often for them. */
  metadataStatsMs: 1_000,
  /** How long a task may take to tell what it uses, in TaskUsage. */
  taskUsageMs: 3_000,
  /** Faults of one task's network that run at the same time, and addresses that one of them names. */
  faultsPerTask: 32,
  faultSources: 64,
} as const;
