/* What the parts of the fake NVML share. Types and numbers are those of NVIDIA's public nvml.h. */
#ifndef FAKE_NVML_H
#define FAKE_NVML_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

typedef int nvmlReturn_t;
enum {
    OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9, TIMEOUT = 10, FUNCTION_NOT_FOUND = 13, GPU_IS_LOST = 15, UNKNOWN = 999
};

enum { MAX_GPUS = 32, MAX_MIG = 64, MAX_PROCESSES = 256, MAX_XIDS = 512, TEXT = 128, WORDS = 1024 };

/* The numbers of a GPU; what the file does not name is NAN, and the GPU does not support it. */
typedef enum {
    UTILIZATION, MEMORY_UTILIZATION, ENCODER_UTILIZATION, DECODER_UTILIZATION, MEMORY_TOTAL, MEMORY_USED,
    MEMORY_RESERVED, POWER, POWER_LIMIT, TEMPERATURE, MEMORY_TEMPERATURE, FAN, SM_CLOCK, MEMORY_CLOCK, ECC_CORRECTED,
    ECC_UNCORRECTED, ECC_CORRECTED_TOTAL, ECC_UNCORRECTED_TOTAL, REMAPPED_CORRECTED, REMAPPED_UNCORRECTED,
    REMAP_PENDING, REMAP_FAILED, ENERGY, PCIE_REPLAY, PCIE_TX, PCIE_RX, POWER_VIOLATION, THERMAL_VIOLATION, MINOR,
    THROTTLE, NUMBERS
} Number;

typedef struct {
    int index;
    char uuid[TEXT], name[TEXT], pci[TEXT];
    bool lost, mig;
    double number[NUMBERS];
} Gpu;

typedef struct {
    int gpu, index, gpu_instance, compute_instance;
    char uuid[TEXT], name[TEXT];
    double memory_total, memory_used;
} Mig;

typedef struct {
    int gpu, pid, mig;
    double memory, utilization, memory_utilization;
} Process;

typedef struct {
    int sequence, gpu, code, gpu_instance, compute_instance;
} Xid;

typedef struct {
    bool loaded;
    char version[TEXT], missing[WORDS], hang[WORDS];
    int gpus, migs, processes, xids;
    Gpu gpu[MAX_GPUS];
    Mig mig[MAX_MIG];
    Process process[MAX_PROCESSES];
    Xid xid[MAX_XIDS];
} State;

/* What a handle points at: it outlives the device, as the driver's do. */
typedef struct nvmlDevice_st {
    bool mig;
    char uuid[TEXT];
} *nvmlDevice_t;

/* Reads the file anew and waits out a hang; every call begins with it. */
nvmlReturn_t begin(const char *function, const State **state);
nvmlReturn_t begin_device(const char *function, nvmlDevice_t device, const State **state, const Gpu **gpu);
const State *now(void);
bool listed(const char *words, const char *word);
const Gpu *gpu_by_uuid(const State *state, const char *uuid);
const Gpu *gpu_by_index(const State *state, int index);
const Mig *mig_by_uuid(const State *state, const char *uuid);
nvmlDevice_t handle_of(const char *uuid, bool mig);
nvmlReturn_t text(char *target, unsigned length, const char *source);

#define EXPORT __attribute__((visibility("default")))

#define ENTER(device)                                                  \
    const State *state;                                                \
    const Gpu *gpu;                                                    \
    nvmlReturn_t begun = begin_device(__func__, device, &state, &gpu); \
    if (begun != OK) return begun;                                     \
    (void)state

#endif
