-- Health of a ScanJob for Argo CD. Argo CD opens neither `string` nor `math`.
local function condition(type)
  for _, each in ipairs(obj.status.conditions or {}) do
    if each.type == type then
      return each
    end
  end
  return {}
end

if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "it is being deleted" }
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not seen this generation yet" }
end

local ready, stalled = condition("Ready"), condition("Stalled")

if stalled.status == "True" then
  return { status = "Degraded", message = stalled.message or stalled.reason }
end
if ready.status == "True" then
  return { status = "Healthy", message = ready.message or "" }
end
if obj.spec.suspend == true then
  return { status = "Suspended", message = ready.message or "spec.suspend is set" }
end
return { status = "Progressing", message = ready.message or ready.reason or "waiting for the condition Ready" }
