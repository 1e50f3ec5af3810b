# After a crash the question is asked again under the same name, and one answer is enough.

ring all devices=ada approval
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all: olga asks leave for 1 device (p1)
crash by=host2
    again: ask for ring all
    taken over by host2
approve all
    ring all: approved by hans
    ring all opens
    install ada
crash
    again: install ada
