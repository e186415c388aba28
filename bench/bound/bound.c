// The bound: how fast this machine does the bare memory work of a table, with
// none of what makes it a table. A contender like any other (bench/README.md
// has the command line and the lines it prints), so its figures come from the
// same ids and the same run.
//
// Rows are 64 float32 on huge pages. Every loop is tried with each prefetch hint
// and distance, and the best is measured: a bound is the best of a sweep, not
// the first loop that somebody wrote.
//
//   gather   sums bags of rows
//   train    gather, then radix sort of (id, bag), segment sum and Adagrad in
//            one pass over rows that hold weights and state side by side
//   dynamic  an open-addressing index of the right size from the start, probed
//            in blocks with prefetches, rows copied in and out
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Vectors are as wide as the processor's: one that the compiler has to split
// goes through memory, and the bound is none any more.
#ifdef __AVX512F__
#define WIDTH 16
#else
#define WIDTH 8
#endif

enum {
  DIM = 64,             // floats of a row
  LANES = WIDTH,        // floats of a vector
  VECS = DIM / LANES,   // vectors of a row
  LINE = 16,            // floats of a cache line
  MAX_THREADS = 64,
  MAX_AHEAD = 64,       // the longest prefetch distance, in rows
  BLOCK = 64,           // keys that are probed together
};

typedef float vec __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

typedef struct {
  const char *work;
  long rows, batch, bag;
  int threads;
  double seconds;
  struct { char *name; int64_t *ids; long count; } input[4];
  int inputs;
} options;

static options opt = {.batch = 2048, .bag = 20, .threads = 1, .seconds = 1};

static void fail(const char *what) {
  fprintf(stderr, "bound: %s: %s\n", what, errno ? strerror(errno) : "bad value");
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

// huge returns zeroed memory on huge pages where the system grants them.
static void *huge(size_t bytes) {
  const size_t page = 2 << 20;
  bytes = (bytes + page - 1) / page * page;
  char *p = mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail("mmap");
  p = (char *)(((uintptr_t)p + page - 1) / page * page);
  madvise(p, bytes, MADV_HUGEPAGE);
  return p;
}

// read_ids reads a file of 64-bit ids and pads it, so that a prefetch may look
// past the end.
static int64_t *read_ids(const char *path, long *count) {
  int f = open(path, O_RDONLY);
  struct stat s;
  if (f < 0 || fstat(f, &s)) fail(path);
  *count = s.st_size / 8;
  int64_t *ids = malloc(s.st_size + MAX_AHEAD * 8);
  for (long done = 0; done < s.st_size;) {
    ssize_t n = read(f, (char *)ids + done, s.st_size - done);
    if (n <= 0) fail(path);
    done += n;
  }
  memcpy(ids + *count, ids, MAX_AHEAD * 8);
  close(f);
  return ids;
}

// ---- Threads: work runs in opt.threads threads over a number of batches.

typedef struct {
  int thread;
  long batches;
  int hint, ahead; // prefetch: locality 3, 2, 1, 0 or -1 for none; rows
  const int64_t *ids;
  long all; // batches in ids
} job;

static pthread_barrier_t barrier;

static double in_threads(void *(*work)(void *), job j) {
  pthread_t t[MAX_THREADS];
  job jobs[MAX_THREADS];
  pthread_barrier_init(&barrier, NULL, opt.threads);
  double from = now();
  for (int i = 0; i < opt.threads; i++) {
    jobs[i] = j;
    jobs[i].thread = i;
    if (pthread_create(&t[i], NULL, work, &jobs[i])) fail("thread");
  }
  for (int i = 0; i < opt.threads; i++) pthread_join(t[i], NULL);
  pthread_barrier_destroy(&barrier);
  return now() - from;
}

// timed runs work for about the given seconds and returns its rate in batches a
// second.
static double timed(void *(*work)(void *), job j, double seconds) {
  j.batches = 1;
  for (;;) {
    double took = in_threads(work, j);
    if (took >= seconds * 0.8) return j.batches / took;
    double factor = took > 0 ? seconds / took : 16;
    j.batches = (long)(j.batches * (factor > 16 ? 16 : factor)) + 1;
  }
}

static const char *hint_name(int hint) {
  static const char *names[] = {"no prefetch", "prefetchnta", "prefetcht2", "prefetcht1", "prefetcht0"};
  return names[hint + 1];
}

// sweep tries every prefetch and measures the best.
static double sweep(void *(*work)(void *), job *best) {
  double top = 0;
  job j = *best;
  static const int aheads[] = {8, 16, 32, 64};
  for (j.hint = -1; j.hint <= 3; j.hint++) {
    for (int a = 0; a < 4; a++) {
      j.ahead = aheads[a];
      double rate = timed(work, j, opt.seconds / 12);
      if (rate > top) {
        top = rate;
        *best = j;
      }
      if (j.hint < 0) break; // without a prefetch there is no distance
    }
  }
  return timed(work, *best, opt.seconds);
}

// The builtin wants a constant; the switch is outside the loops, because what
// calls this is inlined once for each hint.
static inline __attribute__((always_inline)) void prefetch_row(const float *row, int lines, const int hint) {
  for (int l = 0; l < lines; l++) {
    switch (hint) {
    case 0: __builtin_prefetch(row + l * LINE, 0, 0); break;
    case 1: __builtin_prefetch(row + l * LINE, 0, 1); break;
    case 2: __builtin_prefetch(row + l * LINE, 0, 2); break;
    case 3: __builtin_prefetch(row + l * LINE, 0, 3); break;
    }
  }
}

// ---- Gather.

static float *table;
static long stride; // floats from row to row
static float *out;  // batch × DIM, one part a thread

static inline __attribute__((always_inline)) void gather_bags(const int64_t *ids, long from, long to, float *to_rows, const int hint, int ahead) {
  for (long b = from; b < to; b++) {
    vec sum[VECS] = {0};
    for (long i = b * opt.bag; i < (b + 1) * opt.bag; i++) {
      prefetch_row(table + ids[i + ahead] * stride, DIM / LINE, hint);
      const vec *row = (const vec *)(table + ids[i] * stride);
      for (int v = 0; v < VECS; v++) sum[v] += row[v];
    }
    for (int v = 0; v < VECS; v++) ((vec *)(to_rows + b * DIM))[v] = sum[v];
  }
}

static void gather_range(const int64_t *ids, long from, long to, int hint, int ahead) {
  switch (hint) {
  case -1: gather_bags(ids, from, to, out, -1, 0); break;
  case 0: gather_bags(ids, from, to, out, 0, ahead); break;
  case 1: gather_bags(ids, from, to, out, 1, ahead); break;
  case 2: gather_bags(ids, from, to, out, 2, ahead); break;
  case 3: gather_bags(ids, from, to, out, 3, ahead); break;
  }
}

static void *gather_work(void *arg) {
  job *j = arg;
  long from = opt.batch * j->thread / opt.threads, to = opt.batch * (j->thread + 1) / opt.threads;
  for (long k = 0; k < j->batches; k++) {
    gather_range(j->ids + k % j->all * opt.batch * opt.bag, from, to, j->hint, j->ahead);
  }
  return NULL;
}

static double check_out(void) {
  double sum = 0;
  for (long i = 0; i < opt.batch * DIM; i++) sum += out[i];
  return sum;
}

static void fill(void) {
  for (long r = 0; r < opt.rows; r++) {
    for (int d = 0; d < DIM; d++) table[r * stride + d] = (float)((r * DIM + d) % 1024) / 1024;
    for (long d = DIM; d < stride; d++) table[r * stride + d] = 0;
  }
}

static void report(const char *op, const char *dist, double rate, double check, const job *j) {
  printf("{\"op\": \"%s\", \"dist\": \"%s\", \"rate\": %.0f, \"check\": %.9g, \"detail\": \"%s", op, dist, rate, check, hint_name(j->hint));
  if (j->hint >= 0) printf(", %d ahead", j->ahead);
  printf("\"}\n");
  fflush(stdout);
}

static void gather(void) {
  stride = DIM;
  table = huge(opt.rows * stride * sizeof(float));
  out = huge(opt.batch * DIM * sizeof(float));
  fill();
  for (int i = 0; i < opt.inputs; i++) {
    job j = {.hint = 3, .ahead = 16, .ids = opt.input[i].ids, .all = opt.input[i].count / (opt.batch * opt.bag), .batches = 1};
    in_threads(gather_work, j);
    double check = check_out();
    double rate = sweep(gather_work, &j) * opt.batch * opt.bag;
    report("gather", opt.input[i].name, rate, check, &j);
  }
}

// ---- Training.

static float *grads; // batch × DIM

typedef struct { uint32_t row, bag; } pair;

// sort orders pairs by row, 8 bits a pass, and returns whichever array holds
// the result.
static pair *sort(pair *a, pair *b, long n) {
  for (int shift = 0; shift < 32 && (opt.rows - 1) >> shift; shift += 8) {
    long at[257] = {0};
    for (long i = 0; i < n; i++) at[(a[i].row >> shift & 255) + 1]++;
    for (int i = 0; i < 256; i++) at[i + 1] += at[i];
    for (long i = 0; i < n; i++) b[at[a[i].row >> shift & 255]++] = a[i];
    pair *t = a;
    a = b;
    b = t;
  }
  return a;
}

// update does one Adagrad step for each distinct row of the sorted pairs.
static inline __attribute__((always_inline)) void update_rows(const pair *p, long n, const int hint, int ahead) {
  const float rate = 0.1f, epsilon = 1e-8f;
  for (long i = 0; i < n;) {
    uint32_t row = p[i].row;
    vec sum[VECS] = {0};
    for (; i < n && p[i].row == row; i++) {
      prefetch_row(table + p[i + ahead].row * stride, 2 * DIM / LINE, hint);
      const vec *g = (const vec *)(grads + (long)p[i].bag * DIM);
      for (int v = 0; v < VECS; v++) sum[v] += g[v];
    }
    float *restrict w = table + row * stride, *restrict s = w + DIM, g[DIM];
    memcpy(g, sum, sizeof g);
    for (int d = 0; d < DIM; d++) {
      s[d] += g[d] * g[d];
      w[d] -= rate * g[d] / (sqrtf(s[d]) + epsilon);
    }
  }
}

static void update_range(const pair *p, long n, int hint, int ahead) {
  switch (hint) {
  case -1: update_rows(p, n, -1, 0); break;
  case 0: update_rows(p, n, 0, ahead); break;
  case 1: update_rows(p, n, 1, ahead); break;
  case 2: update_rows(p, n, 2, ahead); break;
  case 3: update_rows(p, n, 3, ahead); break;
  }
}

// A thread gathers its part of the bags, then updates its part of the rows.
static void *train_work(void *arg) {
  job *j = arg;
  long n = opt.batch * opt.bag;
  pair *a = malloc((n + MAX_AHEAD) * sizeof(pair)), *b = malloc((n + MAX_AHEAD) * sizeof(pair));
  long from = opt.batch * j->thread / opt.threads, to = opt.batch * (j->thread + 1) / opt.threads;
  int64_t low = opt.rows * j->thread / opt.threads, high = opt.rows * (j->thread + 1) / opt.threads;
  for (long k = 0; k < j->batches; k++) {
    const int64_t *ids = j->ids + k % j->all * n;
    gather_range(ids, from, to, j->hint, j->ahead);
    long mine = 0;
    for (long bag = 0, i = 0; bag < opt.batch; bag++) {
      for (long e = i + opt.bag; i < e; i++) {
        a[mine] = (pair){ids[i], bag};
        mine += ids[i] >= low && ids[i] < high;
      }
    }
    pair *sorted = sort(a, b, mine);
    for (int i = 0; i < MAX_AHEAD; i++) sorted[mine + i] = (pair){low, 0};
    pthread_barrier_wait(&barrier); // all have read before any writes
    update_range(sorted, mine, j->hint, j->ahead);
    pthread_barrier_wait(&barrier);
  }
  free(a);
  free(b);
  return NULL;
}

static void train(void) {
  stride = 2 * DIM;
  table = huge(opt.rows * stride * sizeof(float));
  out = huge(opt.batch * DIM * sizeof(float));
  grads = huge(opt.batch * DIM * sizeof(float));
  for (long b = 0; b < opt.batch; b++) {
    for (int d = 0; d < DIM; d++) grads[b * DIM + d] = (float)((b + d) % 16 + 1) / 16;
  }
  for (int i = 0; i < opt.inputs; i++) {
    fill();
    job j = {.hint = 3, .ahead = 16, .ids = opt.input[i].ids, .all = opt.input[i].count / (opt.batch * opt.bag), .batches = 1};
    in_threads(train_work, j);
    in_threads(gather_work, j);
    double check = check_out();
    double rate = sweep(train_work, &j) * opt.batch * opt.bag;
    report("train", opt.input[i].name, rate, check, &j);
  }
}

// ---- Dynamic: the keys of a batch are dealt to threads by the hash's high
// bits, each with an index of its own; rows lie in the order of arrival.

typedef struct { int64_t key; uint32_t row, used; } slot;

static struct { slot *slots; long mask; float *rows; uint32_t next; } part[MAX_THREADS];
static float *values; // a row for each key of a batch, in and out

static inline uint64_t hash(int64_t key) {
  uint64_t h = (uint64_t)key * 0x9e3779b97f4a7c15u;
  return h ^ h >> 32;
}

static inline int owner(uint64_t h) { return (int)((h & 0xffff) * opt.threads >> 16); }

// probe returns the slot of the key, or the empty one where it belongs.
static inline slot *probe(int p, int64_t key, uint64_t h) {
  for (long i = h >> 16 & part[p].mask;; i = (i + 1) & part[p].mask) {
    slot *s = &part[p].slots[i];
    if (!s->used || s->key == key) return s;
  }
}

typedef enum { FIND, UPSERT } op;

// block serves up to BLOCK keys that one part owns: slots are on their way
// before the first is probed, rows before the first is copied.
static void block(int p, const int64_t *keys, const uint32_t *at, int n, op o) {
  slot *s[BLOCK];
  for (int i = 0; i < n; i++) __builtin_prefetch(&part[p].slots[hash(keys[at[i]]) >> 16 & part[p].mask]);
  for (int i = 0; i < n; i++) {
    s[i] = probe(p, keys[at[i]], hash(keys[at[i]]));
    if (!s[i]->used && o == UPSERT) *s[i] = (slot){keys[at[i]], part[p].next++, 1};
    prefetch_row(part[p].rows + (long)s[i]->row * DIM, DIM / LINE, 3);
  }
  for (int i = 0; i < n; i++) {
    float *row = part[p].rows + (long)s[i]->row * DIM, *mine = values + (long)at[i] * DIM;
    if (o == UPSERT) memcpy(row, mine, DIM * sizeof(float));
    else memcpy(mine, row, DIM * sizeof(float));
  }
}

static op now_doing;

static void *dynamic_work(void *arg) {
  job *j = arg;
  long n = opt.batch * opt.bag;
  for (long k = 0; k < j->batches; k++) {
    const int64_t *keys = j->ids + k * n;
    uint32_t at[BLOCK];
    int have = 0;
    for (long i = 0; i < n; i++) {
      at[have] = i;
      have += opt.threads == 1 || owner(hash(keys[i])) == j->thread;
      if (have == BLOCK) {
        block(j->thread, keys, at, have, now_doing);
        have = 0;
      }
    }
    block(j->thread, keys, at, have, now_doing);
    pthread_barrier_wait(&barrier); // the batch is done before the next
  }
  return NULL;
}

static void dynamic_step(const char *name, op o, int input) {
  now_doing = o;
  long n = opt.batch * opt.bag;
  job j = {.hint = 3, .ahead = BLOCK, .ids = opt.input[input].ids, .batches = opt.input[input].count / n};
  double took = in_threads(dynamic_work, j);
  double check = 0; // rows of the table, or the sum of the last rows found
  for (int p = 0; p < opt.threads; p++) check += o == UPSERT ? part[p].next : 0;
  for (long i = 0; i < n * DIM && o == FIND; i++) check += values[i];
  report(name, "uniform", j.batches * n / took, check, &j);
}

static void dynamic(void) {
  if (opt.inputs != 2) fail("dynamic wants --ids insert=FILE --ids find=FILE");
  values = huge(opt.batch * opt.bag * DIM * sizeof(float));
  for (int p = 0; p < opt.threads; p++) {
    long slots = 1;
    while (slots < opt.rows * 3 / 2 / opt.threads) slots *= 2;
    // A tenth more rows than a fair share: random keys are not dealt evenly.
    part[p].rows = huge((opt.rows * 11 / 10 / opt.threads + 4096) * DIM * sizeof(float));
    part[p].mask = slots - 1;
    part[p].slots = huge(slots * sizeof(slot));
  }
  for (long i = 0; i < opt.batch * opt.bag; i++) {
    for (int d = 0; d < DIM; d++) values[i * DIM + d] = (float)((i * DIM + d) % 1024) / 1024;
  }
  dynamic_step("insert", UPSERT, 0);
  dynamic_step("find", FIND, 1);
  dynamic_step("upsert", UPSERT, 1);
}

static void parse(int argc, char **argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i];
    char *value = argv[i + 1], *equals = strchr(value, '=');
    if (!strcmp(name, "--work")) opt.work = value;
    else if (!strcmp(name, "--rows")) opt.rows = atol(value);
    else if (!strcmp(name, "--batch")) opt.batch = atol(value);
    else if (!strcmp(name, "--bag")) opt.bag = atol(value);
    else if (!strcmp(name, "--threads")) opt.threads = atoi(value);
    else if (!strcmp(name, "--seconds")) opt.seconds = atof(value);
    else if (!strcmp(name, "--dim") && atoi(value) == DIM) continue;
    else if (!strcmp(name, "--ids") && equals && opt.inputs < 4) {
      *equals = 0;
      opt.input[opt.inputs].name = value;
      opt.input[opt.inputs].ids = read_ids(equals + 1, &opt.input[opt.inputs].count);
      if (opt.input[opt.inputs++].count < opt.batch * opt.bag) fail("fewer ids than one batch");
    } else fail(name);
  }
  if (!opt.work || opt.rows < 1 || opt.threads < 1 || opt.threads > MAX_THREADS || !opt.inputs) fail("--work, --rows, --threads and --ids");
}

int main(int argc, char **argv) {
  parse(argc, argv);
  if (!strcmp(opt.work, "gather")) gather();
  else if (!strcmp(opt.work, "train")) train();
  else if (!strcmp(opt.work, "dynamic")) dynamic();
  else fail("--work is gather, train or dynamic");
  return 0;
}
