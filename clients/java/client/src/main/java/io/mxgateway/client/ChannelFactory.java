package io.mxgateway.client;

import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;

/** Makes channels of grpc-java; nothing else of the library knows Netty. */
final class ChannelFactory {
  // From 30 days on gRPC never lets a channel go idle by itself.
  private static final int NEVER_IDLE_DAYS = 31;

  private ChannelFactory() {}

  static ManagedChannel open(ConnectionOptions options) {
    NettyChannelBuilder builder =
        NettyChannelBuilder.forAddress(options.host, options.port)
            // What the library does on a callback is short; what users hang on to it runs
            // elsewhere.
            .directExecutor()
            // A library reads nothing from the environment; retries are its own decision.
            .proxyDetector(address -> null)
            .disableRetry()
            .disableServiceConfigLookUp()
            .idleTimeout(NEVER_IDLE_DAYS, TimeUnit.DAYS)
            .maxInboundMessageSize(options.maxMessageBytes)
            .withOption(
                ChannelOption.CONNECT_TIMEOUT_MILLIS,
                (int) Math.min(Math.max(options.connectTimeout.toMillis(), 1), Integer.MAX_VALUE))
            .userAgent("mxgateway-java/" + GatewayClient.VERSION);
    if (!options.keepaliveTime.isZero()) {
      builder
          .keepAliveTime(options.keepaliveTime.toNanos(), TimeUnit.NANOSECONDS)
          .keepAliveTimeout(options.keepaliveTimeout.toNanos(), TimeUnit.NANOSECONDS);
    }
    if (options.isPlaintext) {
      return builder.usePlaintext().build();
    }
    if (options.serverName != null) {
      builder.overrideAuthority(options.serverName);
    }
    return builder.useTransportSecurity().sslContext(tls(options)).build();
  }

  private static SslContext tls(ConnectionOptions options) {
    // The JDK's own TLS: no native library to unpack, and its texts say what is wrong.
    SslContextBuilder builder =
        GrpcSslContexts.configure(SslContextBuilder.forClient(), SslProvider.JDK)
            .protocols("TLSv1.3", "TLSv1.2");
    if (options.caFile != null) {
      Path file = options.caFile;
      String pem = readable("ca_file", file);
      if (!pem.contains("-----BEGIN CERTIFICATE-----")) {
        throw new IllegalArgumentException("ca_file \"" + file + "\" holds no PEM certificate");
      }
      try {
        builder.trustManager(file.toFile());
      } catch (IllegalArgumentException broken) {
        throw new IllegalArgumentException(
            "ca_file \"" + file + "\" holds no PEM certificate", broken);
      }
    }
    if (options.clientCertificate != null && options.clientKey != null) {
      readable("client_certificate_file", options.clientCertificate);
      readable("client_key_file", options.clientKey);
      try {
        builder.keyManager(options.clientCertificate.toFile(), options.clientKey.toFile());
      } catch (IllegalArgumentException broken) {
        throw new IllegalArgumentException(
            "client_certificate_file and client_key_file cannot be used: PEM files are needed, the"
                + " key in the PKCS#8 form and without a pass phrase",
            broken);
      }
    }
    try {
      return builder.build();
    } catch (SSLException broken) {
      throw new IllegalArgumentException(
          "the TLS options cannot be used: " + broken.getMessage(), broken);
    }
  }

  private static String readable(String option, Path file) {
    try {
      return new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
    } catch (IOException unreadable) {
      throw new IllegalArgumentException(
          option + " cannot be read: " + unreadable.getMessage(), unreadable);
    }
  }
}
