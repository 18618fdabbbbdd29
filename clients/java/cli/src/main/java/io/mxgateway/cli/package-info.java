/** The program mxgw-java. */
@NullMarked
package io.mxgateway.cli;

import org.jspecify.annotations.NullMarked;
