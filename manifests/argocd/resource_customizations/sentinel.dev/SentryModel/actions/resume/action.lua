-- The operator acts again, on whatever the spec says by now.
obj.spec.suspend = false
return obj
