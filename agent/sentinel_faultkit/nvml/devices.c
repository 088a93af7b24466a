/* Which devices there are, who they are, and the MIG devices that they are cut into. */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char legacy[16];
    unsigned domain, bus, device, pci_device_id, subsystem_id;
    char id[32];
} PciInfo;

EXPORT const char *nvmlErrorString(nvmlReturn_t result) {
    switch (result) {
    case OK: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case NOT_FOUND: return "Not Found";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case TIMEOUT: return "Timeout";
    case FUNCTION_NOT_FOUND: return "Function Not Found";
    case GPU_IS_LOST: return "GPU is lost";
    default: return "Unknown Error";
    }
}

EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned length) {
    const State *state;
    nvmlReturn_t begun = begin(__func__, &state);
    return begun == OK ? text(version, length, state->version) : begun;
}

EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned length) {
    const State *state;
    nvmlReturn_t begun = begin(__func__, &state);
    return begun == OK ? text(version, length, "12.570.00") : begun;
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
    const State *state;
    *version = 12080;
    return begin(__func__, &state);
}

EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) {
    const State *state;
    nvmlReturn_t begun = begin(__func__, &state);
    if (begun == OK) *count = state->gpus;
    return begun;
}

/* The index counts those that are there, as the driver does: who vanishes moves the others up. */
EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    const State *state;
    nvmlReturn_t begun = begin(__func__, &state);
    if (begun != OK) return begun;
    if (index >= (unsigned)state->gpus) return INVALID_ARGUMENT;
    if (state->gpu[index].lost) return GPU_IS_LOST;
    *device = handle_of(state->gpu[index].uuid, false);
    return *device ? OK : UNKNOWN;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    const State *state;
    nvmlReturn_t begun = begin(__func__, &state);
    if (begun != OK) return begun;
    const Gpu *gpu = gpu_by_uuid(state, uuid);
    const Mig *mig = mig_by_uuid(state, uuid);
    if (!gpu && !mig) return NOT_FOUND;
    if (gpu && gpu->lost) return GPU_IS_LOST;
    *device = handle_of(uuid, mig != NULL);
    return *device ? OK : UNKNOWN;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *id, nvmlDevice_t *device) {
    const State *state;
    nvmlReturn_t begun = begin(__func__, &state);
    if (begun != OK) return begun;
    for (int i = 0; i < state->gpus; i++)
        if (!strcasecmp(state->gpu[i].pci, id)) {
            *device = handle_of(state->gpu[i].uuid, false);
            return state->gpu[i].lost ? GPU_IS_LOST : OK;
        }
    return NOT_FOUND;
}

EXPORT nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index) {
    ENTER(device);
    *index = gpu - state->gpu;
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor) {
    ENTER(device);
    *minor = gpu->number[MINOR];
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned length) {
    ENTER(device);
    return text(uuid, length, device->uuid);
}

EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length) {
    ENTER(device);
    return text(name, length, device->mig ? mig_by_uuid(state, device->uuid)->name : gpu->name);
}

EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, PciInfo *info) {
    ENTER(device);
    memset(info, 0, sizeof *info);
    if (sscanf(gpu->pci, "%x:%x:%x", &info->domain, &info->bus, &info->device) != 3) return UNKNOWN;
    snprintf(info->id, sizeof info->id, "%08X:%02X:%02X.0", info->domain, info->bus, info->device);
    snprintf(info->legacy, sizeof info->legacy, "%04X:%02X:%02X.0", info->domain & 0xffff, info->bus & 0xff,
             info->device & 0xff);
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
    ENTER(device);
    *current = *pending = gpu->mig;
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned *count) {
    ENTER(device);
    *count = gpu->mig ? 7 : 0;
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index, nvmlDevice_t *mig) {
    ENTER(device);
    for (int i = 0; i < state->migs && gpu->mig; i++)
        if (state->mig[i].gpu == gpu->index && state->mig[i].index == (int)index) {
            *mig = handle_of(state->mig[i].uuid, true);
            return *mig ? OK : UNKNOWN;
        }
    return NOT_FOUND;
}

EXPORT nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned *mig) {
    ENTER(device);
    *mig = device->mig;
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned *id) {
    ENTER(device);
    if (!device->mig) return NOT_SUPPORTED;
    *id = mig_by_uuid(state, device->uuid)->gpu_instance;
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned *id) {
    ENTER(device);
    if (!device->mig) return NOT_SUPPORTED;
    *id = mig_by_uuid(state, device->uuid)->compute_instance;
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t device, nvmlDevice_t *parent) {
    ENTER(device);
    if (!device->mig) return INVALID_ARGUMENT;
    *parent = handle_of(gpu->uuid, false);
    return OK;
}
