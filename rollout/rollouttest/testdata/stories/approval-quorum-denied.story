# While one approval stands and another is missing, a denial by one of those who may decide wins. One by anybody else does not.

ring all devices=ada quorum=2 approvers=hans,ida,inge
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring all: olga asks leave for 1 device (p1), of 2 of hans, ida, inge
approve all by=hans
    ring all: hans approves; 1 more must
deny all by=kim
    ring all: answer of kim does not count: not one of those whose leave it takes
deny all by=ida reason="too early"
    ring all: denied by ida: too early
    rollout is ending, by ida: too early
    ada: cancelled
    rollout is denied
approve all by=inge
