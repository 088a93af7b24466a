-- The operator changes nothing from now on; what serves goes on serving.
obj.spec.suspend = true
return obj
