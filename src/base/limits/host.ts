/** What hosts hold themselves to: sandboxes, images, volumes, networks, and the link to the control plane. Units are in the names. */
export const hostLimits = {
  /** Bytes that a link stream may have under way before the reader has to grant more. */
  streamWindowBytes: 1024 * 1024,
  /** Frames waiting to be written to one peer, past which what streams have to say is gathered until they are written. */
  streamQueueFrames: 1024,
  /** Frames waiting to be written to one peer; past it the connection is dropped and made anew. */
  sendQueueFrames: 65_536,
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
  /** Tasks that one host works on at the same time; more wait in line. */
  startsInFlight: 16,
  /** How long a host may try a kind of sandbox when it starts; `up` waits for it. */
  sandboxProbeMs: 40_000,
  /** Load balancers' addresses in one VPC. */
  vpcAddresses: 1000,
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
  /** One batch of output on the link: text, and events. */
  outputBatchBytes: 768 * 1024,
  outputBatchEvents: 8192,
  /** Forgotten tasks that a host remembers, so that a late message doesn't start them again. */
  tombstones: 2_000,
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
  /** For how long a registry's word counts that it gives an image for somebody's credentials; and how many of such words are kept. */
  registryProofMs: 60_000,
  registryProofsKept: 1000,
  credentialHelperMs: 10_000,
  /** Normalised references kept in memory. */
  referencesKept: 4096,
  /** Files in an image archive, its images, and indexes inside of indexes. */
  archiveEntries: 20_000,
  archiveImages: 1000,
  indexDepth: 3,
  /** Calls that wait for an answer on one link, in each direction, and streams that are open on it. */
  linkCalls: 1024,
  linkStreams: 4096,
  /** Largest piece of a stream in one frame: control messages slip in between. */
  streamFrameBytes: 64 * 1024,
  /** What a reader has read is granted again in pieces of at least so much: a command that prints writes a line at a time. */
  streamCreditBytes: 256 * 1024,
  /** How long a closed link may go on writing what was said before. */
  linkLingerMs: 1000,
  /** A host's first and longest wait before it dials again. */
  linkRetryMinMs: 50,
  linkRetryMaxMs: 2000,
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
  /** What a microVM's RAM has beyond its task's memory, besides a sixty-fourth of that: the guest's kernel, supervisor and page cache. */
  vmOverheadBytes: 64 * 1024 ** 2,
  /** How often shared file systems are measured, and how long one may take. */
  fileSystemSizeEveryMs: 60_000,
  fileSystemSizeMs: 10 * 60_000,
  /** How long one that was deleted is removed at a stretch, how much of that the first to ask waits for, and how long its mark stays. */
  fileSystemClearMs: 3_600_000,
  fileSystemClearWaitMs: 1_000,
  fileSystemMarkKeepMs: 24 * 3_600_000,
  /**
   * File systems that show buckets: the least time between two looks at one, and after one that failed; calls for a bucket over the link, without bytes and
   * with; objects, and directories, that one file system may show, since all of them are looked at.
   */
  bucketSyncMs: 1000,
  bucketRetryMs: 5000,
  bucketCallMs: 60_000,
  bucketTransferMs: 3_600_000,
  bucketObjects: 200_000,
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
  /** How long a guest may take to boot, emulated (at the first try; at the second twice as long, and so on) and not; to answer; and how often, and how silent it may be before it counts as hung. */
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
  /** Its requests: their body, their headers, how long one may take to come, and connections of one task. */
  metadataBodyBytes: 16 * 1024,
  metadataHeaderBytes: 8 * 1024,
  metadataRequestMs: 5_000,
  metadataConnections: 64,
  /** What a task uses is asked of its sandbox at most so often for them. */
  metadataStatsMs: 1_000,
  /** Faults of one task's network that run at the same time, and addresses that one of them names. */
  faultsPerTask: 32,
  faultSources: 64,
  /** What the secrets of one container may have together; and what all of a host may take of its memory. */
  taskSecretBytes: 512 * 1024,
  secretsMemoryMib: 256,
  /** How often it is looked what of the disk is free: at the least, when it is nearly full, and the rate at which the fastest writer may fill it. */
  diskLookMs: 1_000,
  diskLookQuicklyMs: 50,
  /** How long after a task's end its room may take to be free. */
  diskRoomMs: 5_000,
  diskFillBytesPerSecond: 8 * 1024 ** 3,
} as const;
