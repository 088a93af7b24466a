/* What a GPU measures of itself. */
#include "fake.h"

#include <string.h>
#include <sys/time.h>

typedef unsigned long long u64;
typedef struct { u64 total, free, used; } Memory;
typedef struct { unsigned version; u64 total, reserved, free, used; } MemoryV2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned version; int sensor, temperature; } Temperature;
typedef struct { u64 reference, violation; } Violation;
typedef struct {
    unsigned field, scope;
    long long timestamp, latency;
    unsigned type;
    nvmlReturn_t result;
    union { unsigned u; u64 ull; double d; } value;
} FieldValue;

enum { FIELD_MEMORY_TEMPERATURE = 82, FIELD_ENERGY = 83, FIELD_REPLAY = 94, FIELD_PCIE_TX = 197, FIELD_PCIE_RX = 198 };
enum { TYPE_UNSIGNED = 1, TYPE_UNSIGNED_LONG_LONG = 3 };

static const double MIB = 1048576.0;

/* A MIG device has memory of its own, and none of the rest. */
#define NUMBER(device, which, type, target, factor)          \
    ENTER(device);                                           \
    if ((device)->mig || isnan(gpu->number[which])) return NOT_SUPPORTED; \
    *(target) = (type)(gpu->number[which] * (factor));       \
    return OK

static bool memory_of(const State *state, nvmlDevice_t device, const Gpu *gpu, MemoryV2 *out) {
    const Mig *mig = device->mig ? mig_by_uuid(state, device->uuid) : NULL;
    double total = mig ? mig->memory_total : gpu->number[MEMORY_TOTAL];
    double used = mig ? mig->memory_used : gpu->number[MEMORY_USED];
    double reserved = mig || isnan(gpu->number[MEMORY_RESERVED]) ? 0 : gpu->number[MEMORY_RESERVED];
    if (isnan(total) || isnan(used)) return false;
    out->total = total * MIB, out->used = used * MIB, out->reserved = reserved * MIB;
    out->free = out->total - out->used - out->reserved;
    return true;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, Memory *memory) {
    ENTER(device);
    MemoryV2 all;
    if (!memory_of(state, device, gpu, &all)) return NOT_SUPPORTED;
    *memory = (Memory){.total = all.total, .free = all.free, .used = all.used + all.reserved};
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, MemoryV2 *memory) {
    ENTER(device);
    return memory_of(state, device, gpu, memory) ? OK : NOT_SUPPORTED;
}

EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, Utilization *utilization) {
    ENTER(device);
    if (device->mig || isnan(gpu->number[UTILIZATION])) return NOT_SUPPORTED;
    utilization->gpu = gpu->number[UTILIZATION];
    utilization->memory = isnan(gpu->number[MEMORY_UTILIZATION]) ? 0 : gpu->number[MEMORY_UTILIZATION];
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned *utilization, unsigned *period) {
    *period = 1000000;
    NUMBER(device, ENCODER_UTILIZATION, unsigned, utilization, 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned *utilization, unsigned *period) {
    *period = 1000000;
    NUMBER(device, DECODER_UTILIZATION, unsigned, utilization, 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned *temperature) {
    (void)sensor;
    NUMBER(device, TEMPERATURE, unsigned, temperature, 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, Temperature *reading) {
    NUMBER(device, TEMPERATURE, int, &reading->temperature, 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *milliwatts) {
    NUMBER(device, POWER, unsigned, milliwatts, 1000);
}

EXPORT nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned *milliwatts) {
    NUMBER(device, POWER_LIMIT, unsigned, milliwatts, 1000);
}

EXPORT nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, u64 *millijoules) {
    NUMBER(device, ENERGY, u64, millijoules, 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned *percent) {
    NUMBER(device, FAN, unsigned, percent, 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, int which, unsigned *megahertz) {
    NUMBER(device, which == 2 ? MEMORY_CLOCK : SM_CLOCK, unsigned, megahertz, 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, u64 *reasons) {
    NUMBER(device, THROTTLE, u64, reasons, 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, u64 *reasons) {
    NUMBER(device, THROTTLE, u64, reasons, 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetViolationStatus(nvmlDevice_t device, int policy, Violation *out) {
    out->reference = 0;
    NUMBER(device, policy == 0 ? POWER_VIOLATION : policy == 1 ? THERMAL_VIOLATION : FAN, u64, &out->violation, policy > 1 ? 0 : 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, int type, int counter, u64 *errors) {
    NUMBER(device, ECC_CORRECTED + 2 * counter + type, u64, errors, 1);
}

EXPORT nvmlReturn_t nvmlDeviceGetRemappedRows(
    nvmlDevice_t device, unsigned *corrected, unsigned *uncorrected, unsigned *pending, unsigned *failed) {
    ENTER(device);
    if (device->mig || isnan(gpu->number[REMAPPED_CORRECTED])) return NOT_SUPPORTED;
    unsigned *const targets[] = {corrected, uncorrected, pending, failed};
    for (int i = 0; i < 4; i++) {
        double number = gpu->number[REMAPPED_CORRECTED + i];
        *targets[i] = isnan(number) ? 0 : number;
    }
    return OK;
}

EXPORT nvmlReturn_t nvmlDeviceGetPcieReplayCounter(nvmlDevice_t device, unsigned *replays) {
    NUMBER(device, PCIE_REPLAY, unsigned, replays, 1);
}

static Number number_of_field(unsigned field) {
    switch (field) {
    case FIELD_MEMORY_TEMPERATURE: return MEMORY_TEMPERATURE;
    case FIELD_ENERGY: return ENERGY;
    case FIELD_REPLAY: return PCIE_REPLAY;
    case FIELD_PCIE_TX: return PCIE_TX;
    case FIELD_PCIE_RX: return PCIE_RX;
    default: return NUMBERS;
    }
}

EXPORT nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, FieldValue *values) {
    ENTER(device);
    struct timeval time;
    gettimeofday(&time, NULL);
    for (int i = 0; i < count; i++) {
        Number which = number_of_field(values[i].field);
        bool has = which < NUMBERS && !device->mig && !isnan(gpu->number[which]);
        values[i].result = has ? OK : NOT_SUPPORTED;
        values[i].timestamp = time.tv_sec * 1000000LL + time.tv_usec;
        values[i].type = values[i].field == FIELD_MEMORY_TEMPERATURE ? TYPE_UNSIGNED : TYPE_UNSIGNED_LONG_LONG;
        if (!has) continue;
        if (values[i].type == TYPE_UNSIGNED) values[i].value.u = gpu->number[which];
        else values[i].value.ull = gpu->number[which];
    }
    return OK;
}
