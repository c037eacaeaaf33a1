/** What the control plane, its store, its balancer and the command line are held to. Units are in the names. */
export const controlLimits = {
  /** Largest answer that the command line reads whole. */
  answerBytes: 64 * 1024 * 1024,
  /** How long a follow of the command line waits for a control plane that doesn't answer. */
  followPatienceMs: 60_000,
  /** One log event (CloudWatch Logs: 1 MiB since 2025, 256 KiB before). */
  logEventBytes: 256 * 1024,
  /** Series of metrics that one control plane keeps. */
  metricSeries: 200_000,
  /** What of the metrics only the redo log has, before it is written to its place; and how often that is looked at. */
  metricRedoBytes: 16 * 1024 * 1024,
  metricTidyMs: 10 * 60_000,
  /** How long a stopped task stays describable (AWS: at least 1 hour). */
  stoppedTaskKeepMs: 24 * 3600_000,
  /** Metrics that a SEARCH may find (CloudWatch: 500). */
  searchSeries: 500,
  /** Dashboards of an account, and what is in the body of one (CloudWatch: 500 widgets). */
  dashboards: 1000,
  dashboardChars: 1024 * 1024,
  dashboardWidgets: 500,
  /** Label sets of one family that a process counts; tasks that a scrape tells one by one; how long one look serves further scrapes. */
  meterSeries: 2000,
  scrapeTasks: 2000,
  scrapeFreshMs: 1000,
  /** How long the ledger of usage is kept; how often it notes what file systems hold; entries that are read at once, and groups in one answer. */
  usageKeepMs: 400 * 24 * 3600_000,
  fileSystemUsageMs: 3600_000,
  usagePage: 2000,
  usageGroups: 20_000,
  /** How long a host may take to make, grow or remove a volume's file, and to take a snapshot, which may mean copying it. */
  volumeCallMs: 120_000,
  snapshotCallMs: 3600_000,
  /** How long a host may take to have load balancers' addresses. */
  vpcAddressesMs: 15_000,
  /** Targets whose health is written in one transaction. */
  targetWrites: 200,
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
  /** What an outside program that is run to its end may write. */
  childOutputBytes: 8 * 1024 * 1024,
  /** How long hello and welcome may take. */
  linkHandshakeMs: 5000,
  /** How often a host says that it is there, and the silence after which it counts as gone. */
  heartbeatMs: 5000,
  hostSilenceMs: 20_000,
  /** How long somebody at a terminal waits for a host whose agent was killed: it is back in about a second. */
  hostReturnMs: 5000,
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
  /** Items of a capacity provider strategy (ECS: 20). */
  strategyItems: 20,
  /**
   * What a target has under way when it is deregistered may take so long, also with a deregistration delay of 0; and how long past the delay the balancer may
   * be silent before the target's task is stopped all the same.
   */
  targetDrainMinMs: 1000,
  /** How long requests may go on while the platform goes down, whatever the target group's delay. */
  downDrainMs: 5000,
  targetDrainUnheardMs: 10_000,
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
  /** The longest filter pattern, and how deep its parentheses may nest. */
  logPatternChars: 1024,
  logPatternDepth: 50,
  /** Live Tail (StartLiveTail): updates, events in one of them, what waits for a reader, how long a session lasts (AWS: 3 hours), and how many there may be. */
  logLiveTailEveryMs: 1000,
  logLiveTailEvents: 500,
  logLiveTailBytes: 4 * 1024 * 1024,
  logLiveTailMs: 3 * 3600_000,
  logLiveTails: 100,
  /** Metric filters: of one group (AWS: 100), how often what they found is handed on, of how many series and values of each at most; saved queries of a region. */
  logFiltersPerGroup: 100,
  logFilterEveryMs: 1000,
  logFilterSeries: 10_000,
  logFilterValues: 1000,
  logQueryDefinitions: 1000,
  /** Queries of Logs Insights: lines of a result, commands, bytes and time of one; how many run at a time (AWS: 30), are remembered, and for how long. */
  logQueryRows: 10_000,
  logQueryCommands: 50,
  logQueryBytes: 64 * 1024 * 1024,
  logQueryMs: 60_000,
  logQueriesRunning: 4,
  logQueriesKept: 20,
  logQueryKeptMs: 3600_000,
  /** How often log events past their retention are looked for. */
  logSweepMs: 3600_000,
  /** How often lifecycle rules of buckets are acted on: their days end at midnight. */
  lifecycleMs: 3600_000,
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
  /** How long after a change its event is made: what changes meanwhile shares the commit. Changes that one commit takes. */
  eventDelayMs: 200,
  eventBatch: 200,
  /** How long events are kept where nobody says otherwise, how many at most, and how often that is looked at. */
  eventKeepMs: 24 * 3600_000,
  eventsKept: 100_000,
  eventSweepMs: 60_000,
  /** A delivery's retries (EventBridge RetryPolicy: 185 and 24 hours), and the wait before them. */
  eventAttempts: 185,
  eventAgeMs: 24 * 3600_000,
  eventRetryMinMs: 1000,
  eventRetryMaxMs: 5 * 60_000,
  /** Deliveries on their way at once, past which no new one is made; those of one target that are handed over together; targets at once. */
  eventDeliveries: 50_000,
  eventDeliveryBatch: 100,
  eventTargetsAtOnce: 20,
  /** What a webhook may take (EventBridge API destinations: 5 s), and how many calls of one are under way. */
  webhookMs: 5000,
  webhooksAtOnce: 10,
  webhookAnswerBytes: 64 * 1024,
  /** Patterns and schedules that are held compiled. */
  eventPatternsHeld: 2000,
  /** The task's own endpoints: requests a second of one task, and how many at once (ECS agent: 40 and 60). */
  metadataRate: 40,
  metadataBurst: 60,
  /** The registry: largest blob; how often an upload looks at the disk's free space; what of the disk is to stay free: a share, and at most so much. */
  registryBlobBytes: 64 * 1024 ** 3,
  registryRoomLookBytes: 16 * 1024 ** 2,
  registryFloorShare: 0.05,
  registryFloorBytes: 2 * 1024 ** 3,
  /** Manifests or layers that one manifest may name. */
  registryManifestEntries: 1000,
  /** ECR's quotas, as far as rows are read whole (AWS: 100,000 each). */
  repositoriesPerRegion: 10_000,
  imagesPerRepository: 20_000,
  pullThroughRules: 50,
  /** Part of an upload over ECR's API: what fits into a request. ECR's tokens live for 12 hours, addresses of GetDownloadUrlForLayer for one. */
  registryPartBytes: 2 * 1024 ** 2,
  registryTokenMs: 12 * 3600_000,
  registryUrlMs: 3600_000,
  /** How exactly the last pull of an image is known. */
  pullNoteMs: 3600_000,
  /** How often the registry is swept; how long an upload may rest, and a blob lie there that no image has. */
  registrySweepMs: 30 * 60_000,
  registryGraceMs: 24 * 3600_000,
  /** The same where the disk is short of room, and how soon it is swept again then. */
  registryShortGraceMs: 3600_000,
  registryShortSweepMs: 2000,
  /** How long an outside registry's answer about a tag holds (ECR: 24 hours). */
  pullThroughFreshMs: 24 * 3600_000,
  pullThroughTagsKept: 10_000,
} as const;
