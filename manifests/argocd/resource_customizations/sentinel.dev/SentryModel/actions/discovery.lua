-- What can be done to a SentryModel from Argo CD now. Each says in the spec what one could say in Git.
local deleting = obj.metadata.deletionTimestamp ~= nil
local suspended = obj.spec.suspend == true

return {
  suspend = { disabled = deleting or suspended },
  resume = { disabled = deleting or not suspended },
  restart = { disabled = deleting or suspended },
}
