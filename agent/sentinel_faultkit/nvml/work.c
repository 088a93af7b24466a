/* Who works on a GPU, and what befalls it: processes, and events such as Xid errors. */
#include "fake.h"

#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

typedef unsigned long long u64;
typedef struct { unsigned pid; u64 memory; unsigned gpu_instance, compute_instance; } ProcessInfo;
typedef struct { unsigned pid; u64 timestamp; unsigned sm, memory, encoder, decoder; } Sample;
typedef struct { nvmlDevice_t device; u64 type, data; unsigned gpu_instance, compute_instance; } EventData;
typedef struct nvmlEventSet_st { int last; } *nvmlEventSet_t;

enum { XID_CRITICAL_ERROR = 8, LOOK_AGAIN_MS = 10 };
static const u64 MIB = 1048576;

static u64 microseconds(void) {
    struct timeval time;
    gettimeofday(&time, NULL);
    return time.tv_sec * 1000000ULL + time.tv_usec;
}

/* Of a GPU with MIG those of all its parts, each saying which. */
static bool concerns(const State *state, const Process *process, nvmlDevice_t device, const Gpu *gpu) {
    if (process->gpu != gpu->index) return false;
    return !device->mig || process->mig == mig_by_uuid(state, device->uuid)->index;
}

static const Mig *part_of(const State *state, const Process *process) {
    for (int i = 0; i < state->migs; i++)
        if (state->mig[i].gpu == process->gpu && state->mig[i].index == process->mig) return &state->mig[i];
    return NULL;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count, ProcessInfo *out) {
    ENTER(device);
    unsigned room = *count, found = 0;
    for (int i = 0; i < state->processes; i++) {
        const Process *process = &state->process[i];
        if (!concerns(state, process, device, gpu)) continue;
        const Mig *part = part_of(state, process);
        if (out && found < room)
            out[found] = (ProcessInfo){
                .pid = process->pid, .memory = process->memory * MIB,
                .gpu_instance = part ? (unsigned)part->gpu_instance : -1U,
                .compute_instance = part ? (unsigned)part->compute_instance : -1U,
            };
        found++;
    }
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned *count, ProcessInfo *out) {
    ENTER(device);
    (void)out;
    *count = 0;
    return OK;
}

/* The driver refuses it on a GPU with MIG, and says NOT_FOUND where nobody worked. */
EXPORT nvmlReturn_t nvmlDeviceGetProcessUtilization(
    nvmlDevice_t device, Sample *samples, unsigned *count, u64 since) {
    ENTER(device);
    (void)since;
    if (gpu->mig) return NOT_SUPPORTED;
    unsigned room = *count, found = 0;
    for (int i = 0; i < state->processes; i++) {
        const Process *process = &state->process[i];
        if (process->gpu != gpu->index || isnan(process->utilization)) continue;
        if (samples && found < room)
            samples[found] = (Sample){
                .pid = process->pid, .timestamp = microseconds(), .sm = process->utilization,
                .memory = process->memory_utilization,
            };
        found++;
    }
    *count = found;
    if (!found) return NOT_FOUND;
    return !samples || found > room ? INSUFFICIENT_SIZE : OK;
}

static int newest(const State *state) {
    int last = 0;
    for (int i = 0; i < state->xids; i++)
        if (state->xid[i].sequence > last) last = state->xid[i].sequence;
    return last;
}

EXPORT nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set) {
    const State *state;
    nvmlReturn_t begun = begin(__func__, &state);
    if (begun != OK) return begun;
    *set = calloc(1, sizeof **set);
    (*set)->last = newest(state);  /* what was before, nobody is told any more */
    return OK;
}

EXPORT nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
    free(set);
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, u64 *types) {
    ENTER(device);
    *types = XID_CRITICAL_ERROR;
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, u64 types, nvmlEventSet_t set) {
    ENTER(device);
    (void)types;
    return set ? OK : INVALID_ARGUMENT;
}

EXPORT nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, EventData *out, unsigned timeout) {
    const State *state;
    nvmlReturn_t begun = begin(__func__, &state);
    for (unsigned waited = 0; begun == OK; waited += LOOK_AGAIN_MS) {
        const Xid *next = NULL;
        for (int i = 0; i < state->xids; i++)
            if (state->xid[i].sequence > set->last && (!next || state->xid[i].sequence < next->sequence))
                next = &state->xid[i];
        const Gpu *gpu = next ? gpu_by_index(state, next->gpu) : NULL;
        if (next) set->last = next->sequence;
        if (gpu) {
            *out = (EventData){
                .device = handle_of(gpu->uuid, false), .type = XID_CRITICAL_ERROR, .data = next->code,
                .gpu_instance = next->gpu_instance, .compute_instance = next->compute_instance,
            };
            return OK;
        }
        if (waited >= timeout) return TIMEOUT;
        usleep(LOOK_AGAIN_MS * 1000);
        begun = begin(__func__, &state);
    }
    return begun;
}
