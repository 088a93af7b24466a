-- Health of an ActionPlan for Argo CD. Argo CD opens neither `string` nor `math`.
local over = {
  Completed = "Healthy", Superseded = "Healthy",
  Rejected = "Degraded", Failed = "Degraded", Expired = "Degraded", RolledBack = "Degraded",
}

if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "it is being deleted" }
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not seen this generation yet" }
end

local state = obj.status.state or "Pending"
local message = obj.status.message or state

if over[state] ~= nil then
  return { status = over[state], message = message }
end
if state == "AwaitingApproval" or obj.spec.suspend == true then
  return { status = "Suspended", message = message }
end
return { status = "Progressing", message = message }
