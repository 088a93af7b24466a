-- Health of an ActionPolicy for Argo CD. Argo CD opens neither `string` nor `math`.
if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "it is being deleted" }
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not seen this generation yet" }
end
for _, each in ipairs(obj.status.conditions or {}) do
  if each.type == "Ready" then
    return { status = each.status == "True" and "Healthy" or "Degraded", message = each.message or each.reason }
  end
end
return { status = "Progressing", message = "waiting for the condition Ready" }
