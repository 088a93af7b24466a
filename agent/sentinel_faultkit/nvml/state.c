/* The file that says what the GPUs do: sections and `key = value`, read anew at each call, parsed where it changed. */
#include "fake.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGEST = 256 * 1024, HANDLES = 256, LOOK_AGAIN_US = 10000 };

static const char *const NUMBER_KEYS[NUMBERS] = {
    "utilization", "memory-utilization", "encoder-utilization", "decoder-utilization", "memory-total", "memory-used",
    "memory-reserved", "power", "power-limit", "temperature", "memory-temperature", "fan", "sm-clock", "memory-clock",
    "ecc-corrected", "ecc-uncorrected", "ecc-corrected-total", "ecc-uncorrected-total", "remapped-corrected",
    "remapped-uncorrected", "remap-pending", "remap-failed", "energy", "pcie-replay", "pcie-tx", "pcie-rx",
    "power-violation", "thermal-violation", "minor", "throttle",
};

/* Each thread has its own, so that a call that hangs holds no lock. */
static __thread State *state_;
static __thread char *text_, *read_;
static __thread long length_ = -1;

static bool yes(const char *value) { return !strcmp(value, "yes") || !strcmp(value, "true") || !strcmp(value, "1"); }

static void copy(char *target, size_t size, const char *value) { snprintf(target, size, "%s", value); }

static void driver_key(State *s, const char *key, const char *value) {
    if (!strcmp(key, "loaded")) s->loaded = yes(value);
    else if (!strcmp(key, "version")) copy(s->version, TEXT, value);
    else if (!strcmp(key, "missing")) copy(s->missing, WORDS, value);
    else if (!strcmp(key, "hang")) copy(s->hang, WORDS, value);
}

static void gpu_key(Gpu *g, const char *key, const char *value) {
    if (!strcmp(key, "uuid")) copy(g->uuid, TEXT, value);
    else if (!strcmp(key, "name")) copy(g->name, TEXT, value);
    else if (!strcmp(key, "pci")) copy(g->pci, TEXT, value);
    else if (!strcmp(key, "lost")) g->lost = yes(value);
    else if (!strcmp(key, "mig")) g->mig = yes(value);
    for (int i = 0; i < NUMBERS; i++)
        if (!strcmp(key, NUMBER_KEYS[i])) g->number[i] = strtod(value, NULL);
}

static void mig_key(Mig *m, const char *key, const char *value) {
    if (!strcmp(key, "uuid")) copy(m->uuid, TEXT, value);
    else if (!strcmp(key, "name")) copy(m->name, TEXT, value);
    else if (!strcmp(key, "gpu-instance")) m->gpu_instance = atoi(value);
    else if (!strcmp(key, "compute-instance")) m->compute_instance = atoi(value);
    else if (!strcmp(key, "memory-total")) m->memory_total = strtod(value, NULL);
    else if (!strcmp(key, "memory-used")) m->memory_used = strtod(value, NULL);
}

static void process_key(Process *p, const char *key, const char *value) {
    if (!strcmp(key, "mig")) p->mig = atoi(value);
    else if (!strcmp(key, "memory")) p->memory = strtod(value, NULL);
    else if (!strcmp(key, "utilization")) p->utilization = strtod(value, NULL);
    else if (!strcmp(key, "memory-utilization")) p->memory_utilization = strtod(value, NULL);
}

static void xid_key(Xid *x, const char *key, const char *value) {
    if (!strcmp(key, "gpu")) x->gpu = atoi(value);
    else if (!strcmp(key, "code")) x->code = atoi(value);
    else if (!strcmp(key, "gpu-instance")) x->gpu_instance = atoi(value);
    else if (!strcmp(key, "compute-instance")) x->compute_instance = atoi(value);
}

/* Begins what the head of a section names, and gives the letter by which its keys are told apart. */
static char section(State *s, const char *head) {
    int a, b;
    if (!strcmp(head, "driver")) return 'd';
    if (sscanf(head, "gpu %d", &a) == 1 && s->gpus < MAX_GPUS) {
        Gpu *g = &s->gpu[s->gpus++];
        g->index = a;
        snprintf(g->uuid, TEXT, "GPU-%08x-0000-0000-0000-000000000000", a);
        snprintf(g->pci, TEXT, "00000000:%02X:00.0", a + 1);
        copy(g->name, TEXT, "NVIDIA L4");
        for (int i = 0; i < NUMBERS; i++) g->number[i] = NAN;
        g->number[MINOR] = a;
        return 'g';
    }
    if (sscanf(head, "mig %d %d", &a, &b) == 2 && s->migs < MAX_MIG) {
        s->mig[s->migs++] = (Mig){.gpu = a, .index = b};
        return 'm';
    }
    if (sscanf(head, "process %d %d", &a, &b) == 2 && s->processes < MAX_PROCESSES) {
        s->process[s->processes++] = (Process){.gpu = a, .pid = b, .mig = -1, .utilization = NAN};
        return 'p';
    }
    if (sscanf(head, "xid %d", &a) == 1 && s->xids < MAX_XIDS) {
        s->xid[s->xids++] = (Xid){.sequence = a, .gpu_instance = -1, .compute_instance = -1};
        return 'x';
    }
    return 0;
}

static char *trimmed(char *word) {
    while (*word == ' ' || *word == '\t') word++;
    char *end = word + strlen(word);
    while (end > word && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) *--end = 0;
    return word;
}

static void key(State *s, char kind, const char *name, const char *value) {
    switch (kind) {
    case 'd': driver_key(s, name, value); break;
    case 'g': gpu_key(&s->gpu[s->gpus - 1], name, value); break;
    case 'm': mig_key(&s->mig[s->migs - 1], name, value); break;
    case 'p': process_key(&s->process[s->processes - 1], name, value); break;
    case 'x': xid_key(&s->xid[s->xids - 1], name, value); break;
    default: break;
    }
}

static void parse(State *s, char *from) {
    memset(s, 0, sizeof *s);
    s->loaded = true;
    copy(s->version, TEXT, "570.00");
    char kind = 0, *rest = NULL;
    for (char *line = strtok_r(from, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        line = trimmed(line);
        if (*line == '#' || *line == ';' || !*line) continue;
        char *end = strchr(line, ']'), *equals = strchr(line, '=');
        if (*line == '[' && end) {
            *end = 0;
            kind = section(s, line + 1);
        } else if (equals) {
            *equals = 0;
            key(s, kind, trimmed(line), trimmed(equals + 1));
        }
    }
}

/* A file that is not there, or empty for a moment, changes nothing. */
const State *now(void) {
    if (!state_) {
        state_ = calloc(1, sizeof *state_);
        text_ = malloc(LARGEST + 1), read_ = malloc(LARGEST + 1);
        state_->loaded = true;
    }
    const char *path = getenv("SENTINEL_FAULT_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return state_;
    long length = 0, got;
    while (length < LARGEST && (got = read(file, read_ + length, LARGEST - length)) > 0) length += got;
    close(file);
    if (length > 0 && (length != length_ || memcmp(read_, text_, length))) {
        memcpy(text_, read_, length);
        length_ = length;
        read_[length] = 0;
        parse(state_, read_);
    }
    return state_;
}

bool listed(const char *words, const char *word) {
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || strchr(" ,", at[-1])) && (!at[length] || strchr(" ,", at[length]))) return true;
    return false;
}

static int initialized;

EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    const State *s = now();
    while (listed(s->hang, __func__)) usleep(LOOK_AGAIN_US), s = now();
    if (!s->loaded) return DRIVER_NOT_LOADED;
    __sync_fetch_and_add(&initialized, 1);
    return OK;
}
EXPORT nvmlReturn_t nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

EXPORT nvmlReturn_t nvmlShutdown(void) {
    if (initialized <= 0) return UNINITIALIZED;
    __sync_fetch_and_sub(&initialized, 1);
    return OK;
}

nvmlReturn_t begin(const char *function, const State **state) {
    const State *s = now();
    while (listed(s->hang, function)) usleep(LOOK_AGAIN_US), s = now();
    *state = s;
    if (listed(s->missing, function)) return FUNCTION_NOT_FOUND;
    if (initialized <= 0) return UNINITIALIZED;
    return s->loaded ? OK : DRIVER_NOT_LOADED;
}

const Gpu *gpu_by_uuid(const State *s, const char *uuid) {
    for (int i = 0; i < s->gpus; i++)
        if (!strcmp(s->gpu[i].uuid, uuid)) return &s->gpu[i];
    return NULL;
}

const Gpu *gpu_by_index(const State *s, int index) {
    for (int i = 0; i < s->gpus; i++)
        if (s->gpu[i].index == index) return &s->gpu[i];
    return NULL;
}

const Mig *mig_by_uuid(const State *s, const char *uuid) {
    for (int i = 0; i < s->migs; i++)
        if (!strcmp(s->mig[i].uuid, uuid)) return &s->mig[i];
    return NULL;
}

nvmlDevice_t handle_of(const char *uuid, bool mig) {
    static struct nvmlDevice_st handles[HANDLES];
    static int used;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    nvmlDevice_t found = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < used && !found; i++)
        if (!strcmp(handles[i].uuid, uuid)) found = &handles[i];
    if (!found && used < HANDLES) {
        found = &handles[used++];
        found->mig = mig;
        copy(found->uuid, TEXT, uuid);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Of a MIG device `gpu` is the GPU that it is a part of. */
nvmlReturn_t begin_device(const char *function, nvmlDevice_t device, const State **state, const Gpu **gpu) {
    nvmlReturn_t begun = begin(function, state);
    if (begun != OK) return begun;
    if (!device) return INVALID_ARGUMENT;
    if (device->mig) {
        const Mig *mig = mig_by_uuid(*state, device->uuid);
        if (!mig) return NOT_FOUND;
        *gpu = gpu_by_index(*state, mig->gpu);
    } else {
        *gpu = gpu_by_uuid(*state, device->uuid);
    }
    return !*gpu || (*gpu)->lost ? GPU_IS_LOST : OK;
}

nvmlReturn_t text(char *target, unsigned length, const char *source) {
    if (strlen(source) >= length) return INSUFFICIENT_SIZE;
    memcpy(target, source, strlen(source) + 1);
    return OK;
}
