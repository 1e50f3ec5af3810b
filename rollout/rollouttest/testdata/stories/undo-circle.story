# Three rollouts lie above each other in a circle, each in another package. None of them can be the first to be taken back, so none waits.

patch pa package="xlib 2" package="zlib 1"
patch pb package="xlib 1" package="ylib 2"
patch pc package="ylib 1" package="zlib 2"
ring all devices=ada manual
start qa patches=pa
done
ring all devices=ada manual
start qb patches=pb
done
ring all devices=ada manual
start qc patches=pc
done
qa: undo reason="no sound"
qb: undo reason="no sound"
qc: undo reason="no sound"
explain ada
