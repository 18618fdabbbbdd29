/**
 * AVEVA System Platform tags for Java programs, through an MXAccess gateway.
 *
 * <p>{@link io.mxgateway.client.GatewayClient} is the connection, {@link
 * io.mxgateway.client.Session} a worker process of one's own with the methods of MXAccess, {@link
 * io.mxgateway.client.Subscription} tags that are watched over every interruption, and {@link
 * io.mxgateway.client.GalaxyClient} the deployed objects.
 */
@NullMarked
package io.mxgateway.client;

import org.jspecify.annotations.NullMarked;
