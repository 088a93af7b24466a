-- New pods take over from the old as in any rollout: they fetch and verify the artifact anew, and no request is lost.
obj.spec.pod = obj.spec.pod or {}
obj.spec.pod.annotations = obj.spec.pod.annotations or {}
obj.spec.pod.annotations["kubectl.kubernetes.io/restartedAt"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
