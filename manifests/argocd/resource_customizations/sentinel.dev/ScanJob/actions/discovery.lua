-- What can be done to a ScanJob from Argo CD now. Each says in the spec what one could say in Git.
local deleting = obj.metadata.deletionTimestamp ~= nil
local suspended = obj.spec.suspend == true
local finished = obj.status ~= nil and obj.status.finishedAt ~= nil

return {
  suspend = { disabled = deleting or finished or suspended },
  resume = { disabled = deleting or finished or not suspended },
}
