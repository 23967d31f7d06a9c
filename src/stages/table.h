/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stages, in the order of the way: a packet only ever goes on to a stage further down. A line
 * here, the file src/stages/NAME.c, which defines NAME_stage, and a row in steer/graph.c are all
 * that a stage needs: README.md.
 */
STAGE(rx, RX)
STAGE(gro, GRO)
STAGE(vxlan, VXLAN)
STAGE(vtep, VTEP)
STAGE(veth_rx, VETH_RX)
STAGE(bridge, BRIDGE)
STAGE(wire, WIRE)
STAGE(veth, VETH)
STAGE(encap, ENCAP)
STAGE(tx, TX)
